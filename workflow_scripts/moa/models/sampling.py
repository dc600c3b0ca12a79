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

from moa.logprobs.exactness import tree_is_exact
from moa.logprobs.layout import Layout
from moa.models.decoding import Block, Rows, tokens_within
from moa.models.packing import packed
from moa.models.prompts import common_prefix
from moa.models.tokenizers import NEXT_TURN_MARKERS
from moa.runtime.errors import JobError

PARTIAL = 1024  # of the most probable tokens, among which a nucleus is looked for first


class SamplingSettings(Protocol):
    """What the settings of every stage that samples have."""

    @property
    def max_prompt_tokens(self) -> int: ...
    @property
    def max_new_tokens(self) -> int: ...
    @property
    def temperature(self) -> float: ...
    @property
    def top_p(self) -> float: ...


@dataclass(frozen=True)
class Sampling:
    """How responses are sampled. cache_tokens: whose keys and values are held at once, which decides how
    many responses are decoded together, and changes none of them.

    shown: what a message says of a prompt's ids.
    Raises: ValueError for a temperature or a nucleus that is no such thing.
    """

    max_new_tokens: int
    temperature: float
    top_p: float
    eos_token_id: int
    cache_tokens: int
    shown: Callable[[list[int]], str] = str

    def __post_init__(self) -> None:
        if not self.temperature > 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"temperature {self.temperature} must be above 0, top_p {self.top_p} in (0, 1]"
            )

    @classmethod
    def of(
        cls, settings: SamplingSettings, tokenizer: Any, model: Any, cache_gib: float
    ) -> Sampling:
        """As a stage's settings say; the special tokens are the tokenizer's.

        cache_gib: memory for keys and values.
        """
        return cls(
            settings.max_new_tokens,
            settings.temperature,
            settings.top_p,
            tokenizer.eos_token_id,
            tokens_within(model, cache_gib),
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
    model: Any,
    prompt_ids: Sequence[torch.Tensor],
    streams: np.ndarray,
    sampling: Sampling,
    variants: int = 1,
) -> list[list[torch.Tensor]]:
    """Sample N responses to each of B prompts; dropout is off, and the mode is restored after.

    prompt_ids: B 1-D id tensors. streams: (B, N, max_new_tokens) uniforms in [0, 1); N responses
    to a prompt are decoded together. variants: so many prompts in a
    row begin alike, as one x under so many preference vectors does, and that is read once.
    Returns: B lists of N 1-D id tensors on the CPU, EOS included where emitted.
    Raises: ValueError if the streams do not fit; JobError that shows the prompt after which the model's
    logits are no distribution.
    """
    if streams.shape[0] != len(prompt_ids) or streams.shape[2] < sampling.max_new_tokens:
        raise ValueError(
            f"streams has shape {streams.shape} for {len(prompt_ids)} prompts "
            f"of {sampling.max_new_tokens} new tokens"
        )
    samples, max_new = streams.shape[1], sampling.max_new_tokens
    device = next(model.parameters()).device
    uniforms = torch.from_numpy(streams.reshape(-1, streams.shape[2])).to(device)
    tokens = torch.empty(len(uniforms), max_new, dtype=torch.long, device=device)
    lengths = torch.full((len(uniforms),), max_new, dtype=torch.long, device=device)

    def draw(
        responses: torch.Tensor, steps: torch.Tensor, logits: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        try:
            drawn = sample_tokens(
                logits, uniforms[responses, steps], sampling.temperature, sampling.top_p
            )
        except NoDistribution as error:
            at = error.rows[0]
            prompt = sampling.shown(prompt_ids[int(responses[at]) // samples].tolist())
            raise JobError(
                f"the policy's logits after {prompt!r} and {int(steps[at])} sampled tokens "
                "are NaN or infinite, so no token can be drawn: its weights are not finite, or it "
                "overflows its dtype. Train it again with a lower learning rate, or use float32"
            ) from error
        tokens[responses, steps] = drawn
        ended = drawn == sampling.eos_token_id
        lengths[responses[ended]] = steps[ended] + 1
        return drawn, ended | (steps + 1 == max_new)

    was_training = model.training
    model.eval()
    try:
        if len(prompt_ids):
            blocks = _blocks(model, prompt_ids, variants)
            fixed = device.type == "cuda" and _by_mask(model, blocks[0].tokens, max_new)
            with packed(model):
                Rows(model, blocks, samples, sampling.cache_tokens, max_new, draw, fixed).run()
    finally:
        model.train(was_training)
    tokens, lengths = tokens.cpu(), lengths.cpu()
    flat = [row[:length].clone() for row, length in zip(tokens, lengths, strict=True)]
    return [flat[i * samples : (i + 1) * samples] for i in range(len(prompt_ids))]


def _by_mask(model: Any, prompt: int, new: int) -> bool:
    """Whether the model goes by mask and positions for as long as that."""
    return tree_is_exact(model, Layout(prompt, 1, 1, 1, new))


def _blocks(model: Any, prompts: Sequence[torch.Tensor], variants: int) -> list[Block]:
    """What is read together, longest first: what is admitted then fits into the columns in use.

    A padded rest behind a prefix leaves a gap of columns, which only a model that goes by mask and
    positions can read, as it reads trees; another reads every prompt whole.
    """
    size = 1
    if variants > 1:
        longest = max(map(len, prompts))
        if tree_is_exact(model, Layout(longest, variants, 1, 1, 1)):
            size = variants
    blocks = []
    for start in range(0, len(prompts), size):
        own = range(start, start + size)
        shared = common_prefix([prompts[i] for i in own]) if size > 1 else 0
        rests = [prompts[i][shared:] for i in own]
        blocks.append(Block(list(own), prompts[start][:shared], rests))
    return sorted(blocks, key=lambda block: -block.tokens)


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
    if (wrong := probs[:, 0].isnan()).any():  # softmax makes a whole row NaN
        raise NoDistribution(wrong.nonzero()[:, 0].tolist())
    if top_p < 1:
        probs = _nucleus(probs, top_p)
    cdf = probs.cumsum(dim=-1)
    target = uniforms.to(cdf)[:, None] * cdf[:, -1:]
    return torch.searchsorted(cdf, target, right=True)[:, 0].clamp(max=logits.shape[1] - 1)


def _nucleus(probs: torch.Tensor, top_p: float) -> torch.Tensor:
    """probs (N, V) with 0 outside the nucleus, without sorting V of them where few make it up."""
    least, spare = _least(probs, top_p, PARTIAL)
    equal = probs == least
    if (equal.sum(dim=1, keepdim=True) > spare).any():
        equal &= equal.cumsum(dim=1) <= spare
    return probs.where(equal | (probs > least), 0.0)


def _least(probs: torch.Tensor, top_p: float, few: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest probability in a row's nucleus, and how many of those that have it are in: (N, 1) each.

    few: how many of the most probable are tried first.
    """
    best = probs.topk(min(few, probs.shape[1])).values
    inside = best.cumsum(dim=1) - best < top_p
    least = best.gather(1, inside.sum(dim=1, keepdim=True) - 1)
    spare = (inside & (best == least)).sum(dim=1, keepdim=True)
    wide = inside[:, -1]
    if best.shape[1] < probs.shape[1] and wide.any():  # it may go on after them
        least[wide], spare[wide] = _least(probs[wide], top_p, probs.shape[1])
    return least, spare


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
