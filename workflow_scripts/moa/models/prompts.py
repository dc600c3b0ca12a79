"""Prompts as text and as token ids: cutting x to fit, encoding, and what several prompts share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from transformers import PreTrainedTokenizerBase

from moa.models.readable import require_readable
from moa.preferences import build_prompt, uniform


def truncate_prompt(
    x: str,
    objectives: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_tokens: int,
    decimals: int = 2,
) -> str:
    """Cut the front of x so that G(x, w) has at most max_tokens tokens; never the weight block.

    decimals: of the weights.
    Raises: ValueError if the weight block alone is too long.
    """
    even = uniform(len(objectives))
    if len(tokenizer(build_prompt(x, objectives, even, decimals))["input_ids"]) <= max_tokens:
        return x
    room = max_tokens - len(tokenizer(build_prompt("", objectives, even, decimals))["input_ids"])
    offsets = tokenizer(x, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    # Cutting changes how the seam is tokenised, so cut a little more until it really fits.
    for keep in range(min(room, len(offsets)), 0, -1):
        cut = x[offsets[-keep][0] :].lstrip()
        if len(tokenizer(build_prompt(cut, objectives, even, decimals))["input_ids"]) <= max_tokens:
            return cut
    raise ValueError(
        f"max_prompt_tokens is {max_tokens}, less than the weight block of {list(objectives)} needs: "
        "raise policy.max_prompt_tokens"
    )


def distinct_prompts(
    data: pd.DataFrame,
    objectives: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_prompt_tokens: int,
    decimals: int = 2,
) -> list[dict[str, Any]]:
    """One row per distinct prompt: `prompt_id`, `prompt` (raw, for oracles) and `x` (cut to fit).

    data: rows with prompt_id and prompt. Raises: JobError as `require_readable`.
    """
    distinct = dict(zip(data["prompt_id"].tolist(), data["prompt"].tolist(), strict=True))
    require_readable(list(distinct.values()), objectives, tokenizer, decimals)
    return [
        {
            "prompt_id": i,
            "prompt": prompt,
            "x": truncate_prompt(prompt, objectives, tokenizer, max_prompt_tokens, decimals),
        }
        for i, prompt in sorted(distinct.items())
    ]


def encode(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[torch.Tensor]:
    """Token ids of each text, 1-D, without padding."""
    return [torch.tensor(ids) for ids in tokenizer(list(texts))["input_ids"]]


def split_prefix(sequences: Sequence[torch.Tensor]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """1-D id tensors as their longest common prefix and what is left of each, at least one token."""
    shared = common_prefix(sequences)
    return sequences[0][:shared], [ids[shared:] for ids in sequences]


def common_prefix(sequences: Sequence[torch.Tensor]) -> int:
    """Length of the longest common prefix of 1-D id tensors, leaving each at least one token."""
    limit = min(len(s) for s in sequences) - 1
    first = sequences[0][:limit]
    for other in sequences[1:]:
        differs = (first[: len(other)] != other[: len(first)]).nonzero()
        if len(differs):
            first = first[: int(differs[0])]
    return len(first)
