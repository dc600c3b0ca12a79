"""The prompts that trainers sample from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from moa.models.policies import truncate_prompt


def training_rows(
    rows: Sequence[dict[str, Any]],
    objectives: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_prompt_tokens: int,
) -> list[dict[str, Any]]:
    """One row per distinct prompt: `prompt_id`, `prompt` (raw, for oracles) and `x` (cut to fit)."""
    distinct = {row["prompt_id"]: row["prompt"] for row in rows}
    return [
        {
            "prompt_id": i,
            "prompt": prompt,
            "x": truncate_prompt(prompt, objectives, tokenizer, max_prompt_tokens),
        }
        for i, prompt in sorted(distinct.items())
    ]
