"""Batched sampling: prompts sorted by length, left-padded, prefilled once for several samples.

Every sample draws its tokens by inverse CDF from its own stream of uniforms, so a response does
not depend on the batch it was sampled in, on its order, on padding, or on the number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from transformers import DynamicCache

from moa.models.tokenizers import NEXT_TURN_MARKERS
from moa.runtime.errors import JobError


class SamplingSettings(Protocol):
    """What the settings of every stage that samples have."""

    @property
    def max_new_tokens(self) -> int: ...
    @property
    def temperature(self) -> float: ...
    @property
    def top_p(self) -> float: ...


@dataclass(frozen=True)
class Sampling:
    """How responses are sampled. batch_size: prompts decoded together, which changes no response.

    shown: what a message says of a prompt's ids.
    Raises: ValueError for a temperature or a nucleus that is no such thing.
    """

    max_new_tokens: int
    temperature: float
    top_p: float
    eos_token_id: int
    pad_token_id: int
    batch_size: int
    shown: Callable[[list[int]], str] = str

    def __post_init__(self) -> None:
        if not self.temperature > 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"temperature {self.temperature} must be above 0, top_p {self.top_p} in (0, 1]"
            )

    @classmethod
    def of(cls, settings: SamplingSettings, tokenizer: Any, batch_size: int) -> Sampling:
        """As a stage's settings say; the special tokens are the tokenizer's."""
        return cls(
            settings.max_new_tokens,
            settings.temperature,
            settings.top_p,
            tokenizer.eos_token_id,
            tokenizer.pad_token_id,
            batch_size,
            tokenizer.decode,
        )


class NoDistribution(JobError):
    """Logits that no token can be drawn from: a NaN or +inf among them, or -inf all. rows: of which."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows
        super().__init__(f"the logits of rows {rows} are no distribution: NaN, +inf, or -inf all")


@dataclass(frozen=True)
class Response:
    """A cleaned response. ids: the tokens whose text is scored, EOS included where emitted.

    finished: the policy ended its turn itself, by EOS or by starting another one.
    """

    ids: torch.Tensor
    text: str
    finished: bool


def sample_streams(keys: Sequence[Sequence[int]], n_samples: int, length: int) -> np.ndarray:
    """Uniforms in [0, 1) for `generate`: one stream per key and sample, the same on any machine.

    keys: B sequences of non-negative integers (seed, `Stream`, step, prompt id, ...).
    Returns: (B, n_samples, length) float64.
    """
    draw = np.empty((len(keys), n_samples, length))
    for row, key in enumerate(keys):
        bits = np.random.Philox(np.random.SeedSequence(list(key)))
        draw[row] = np.random.Generator(bits).random((n_samples, length))
    return draw


@torch.no_grad()
def generate(
    model: Any, prompt_ids: Sequence[torch.Tensor], streams: np.ndarray, sampling: Sampling
) -> list[list[torch.Tensor]]:
    """Sample N responses to each of B prompts; dropout is off, and the mode is restored after.

    prompt_ids: B 1-D id tensors. streams: (B, N, max_new_tokens) uniforms in [0, 1); N responses
    to a prompt are decoded together, so a batch has N x batch_size rows.
    Returns: B lists of N 1-D id tensors on the CPU, EOS included where emitted.
    Raises: ValueError if the streams do not fit; JobError that shows the prompt after which the model's
    logits are no distribution.
    """
    if streams.shape[0] != len(prompt_ids) or streams.shape[2] < sampling.max_new_tokens:
        raise ValueError(
            f"streams has shape {streams.shape} for {len(prompt_ids)} prompts "
            f"of {sampling.max_new_tokens} new tokens"
        )
    was_training = model.training
    model.eval()
    order = sorted(range(len(prompt_ids)), key=lambda i: len(prompt_ids[i]))
    results: list[list[torch.Tensor]] = [[] for _ in prompt_ids]
    try:
        for start in range(0, len(order), sampling.batch_size):
            chosen = order[start : start + sampling.batch_size]
            sampled = _generate_batch(
                model,
                [prompt_ids[i] for i in chosen],
                streams[chosen, :, : sampling.max_new_tokens],
                sampling,
            )
            for i, responses in zip(chosen, sampled, strict=True):
                results[i] = responses
    finally:
        model.train(was_training)
    return results


def _generate_batch(
    model: Any, prompts: list[torch.Tensor], streams: np.ndarray, sampling: Sampling
) -> list[list[torch.Tensor]]:
    eos, pad = sampling.eos_token_id, sampling.pad_token_id
    device = next(model.parameters()).device
    n_samples, max_new = streams.shape[1], streams.shape[2]
    width = max(len(p) for p in prompts)
    ids = torch.full((len(prompts), width), pad, dtype=torch.long)
    mask = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = prompt
        mask[row, width - len(prompt) :] = 1
    ids, mask = ids.to(device), mask.to(device)

    cache = DynamicCache()
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    cache.batch_repeat_interleave(n_samples)
    mask = mask.repeat_interleave(n_samples, dim=0)
    logits = output.logits[:, -1].repeat_interleave(n_samples, dim=0)
    uniforms = torch.from_numpy(streams.reshape(-1, max_new)).to(device)
    tokens = torch.full((len(uniforms), max_new), pad, dtype=torch.long, device=device)
    lengths = torch.full((len(uniforms),), max_new, dtype=torch.long, device=device)
    alive = torch.arange(len(uniforms), device=device)  # rows still decoded, in cache order
    going = torch.ones(len(uniforms), dtype=torch.bool, device=device)

    for step in range(max_new):
        try:
            drawn = sample_tokens(
                logits, uniforms[alive, step], sampling.temperature, sampling.top_p
            )
        except NoDistribution as error:
            prompt = prompts[int(alive[error.rows[0]]) // n_samples]
            raise JobError(
                f"the policy's logits after {sampling.shown(prompt.tolist())!r} and {step} sampled tokens "
                "are NaN or infinite, so no token can be drawn: its weights are not finite, or it "
                "overflows its dtype. Train it again with a lower learning rate, or use float32"
            ) from error
        drawn = torch.where(going, drawn, pad)
        tokens[alive, step] = drawn
        ended = going & (drawn == eos)
        lengths[alive[ended]] = step + 1
        going = going & ~ended
        if step + 1 == max_new or not going.any():
            break
        if int(going.sum()) * 2 <= len(alive):  # half are done: decode only the others
            keep = going.nonzero()[:, 0]
            cache.batch_select_indices(keep)
            alive, mask, drawn, going = alive[keep], mask[keep], drawn[keep], going[keep]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        logits = model(
            input_ids=drawn[:, None],
            attention_mask=mask,
            position_ids=mask.sum(dim=1, keepdim=True) - 1,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]

    tokens, lengths = tokens.cpu(), lengths.cpu()
    flat = [row[:length].clone() for row, length in zip(tokens, lengths, strict=True)]
    return [flat[i * n_samples : (i + 1) * n_samples] for i in range(len(prompts))]


def sample_tokens(
    logits: torch.Tensor, uniforms: torch.Tensor, temperature: float, top_p: float
) -> torch.Tensor:
    """Inverse-CDF sampling in vocabulary order: logits (N, V), uniforms (N,) -> (N,) ids.

    With top_p < 1 the nucleus is the smallest set of most probable tokens that reaches top_p; among
    equally probable ones the first of the vocabulary, so that it is one set on any machine.
    float64, so that rounding in the cumulative sum of a large vocabulary picks no wrong token.
    Raises: NoDistribution.
    """
    probs = torch.softmax(logits.double() / temperature, dim=-1)
    if top_p < 1:
        sorted_probs, order = probs.sort(dim=-1, descending=True, stable=True)
        outside = sorted_probs.cumsum(dim=-1) - sorted_probs >= top_p
        probs = probs.masked_fill(outside.scatter(1, order, outside), 0.0)
    cdf = probs.cumsum(dim=-1)
    if (wrong := cdf[:, -1].isnan()).any():  # softmax makes a whole row NaN
        raise NoDistribution(wrong.nonzero()[:, 0].tolist())
    target = uniforms.to(cdf)[:, None] * cdf[:, -1:]
    return torch.searchsorted(cdf, target, right=True)[:, 0].clamp(max=logits.shape[1] - 1)


def clean_response(ids: torch.Tensor, tokenizer: Any) -> Response:
    """Cut a sampled response at an emitted next-turn marker and decode what is scored.

    ids: 1-D, as `generate` returns them. Tokens from the marker on are dropped, so the
    log-probabilities are taken over exactly the tokens whose text the oracles see.
    """
    ended = len(ids) > 0 and int(ids[-1]) == tokenizer.eos_token_id
    body = ids[:-1] if ended else ids
    text = _decode(body, tokenizer)
    starts = [at for marker in NEXT_TURN_MARKERS if (at := text.find(marker)) >= 0]
    if not starts:
        return Response(ids, text.strip(), ended)
    keep = len(body)
    while len(_decode(body[:keep], tokenizer)) > min(starts):
        keep -= 1
    return Response(ids[:keep], _decode(ids[:keep], tokenizer).strip(), True)


def _decode(ids: torch.Tensor, tokenizer: Any) -> str:
    return tokenizer.decode(ids.tolist(), skip_special_tokens=True)
