"""What a task's data looks like to its policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from moa.models.prompts import truncate_prompt
from moa.models.readable import require_readable
from moa.models.settings import PromptSettings
from moa.runtime.checks import Check
from moa.runtime.errors import JobError

MUCH_CUT = 0.2  # a share of prompts or responses that is worth knowing


def check_data(
    frame: pd.DataFrame, objectives: Sequence[str], tokenizer: Any, asked: PromptSettings
) -> list[Check]:
    """frame: the rows of both splits."""
    by_split = frame.groupby("split")["prompt_id"].nunique()
    counts = ", ".join(f"{n} {split}" for split, n in by_split.items())
    prompts = frame["prompt"].drop_duplicates().tolist()
    readable = _readable(prompts, objectives, tokenizer, asked.decimals)
    checks = [Check("prompts", counts), readable]
    cut = [
        truncate_prompt(x, objectives, tokenizer, asked.max_prompt_tokens, asked.decimals) != x
        for x in prompts
    ]
    checks.append(_share("prompts cut at the front", cut, "policy.max_prompt_tokens"))
    responses = frame.loc[frame["split"] == "train", "chosen"].tolist()
    lengths = map(len, tokenizer(responses, add_special_tokens=False)["input_ids"])
    long = [n >= asked.max_new_tokens for n in lengths]
    checks.append(_share("chosen responses cut at the end", long, "policy.max_new_tokens"))
    return checks


def _share(what: str, cut: Sequence[bool], key: str) -> Check:
    share = sum(cut) / max(1, len(cut))
    much = share > MUCH_CUT
    return Check(what, f"{share:.1%}", "note" if much else "ok", f"{key} decides" if much else "")


def _readable(
    prompts: list[str], objectives: Sequence[str], tokenizer: Any, decimals: int
) -> Check:
    try:
        require_readable(prompts, objectives, tokenizer, decimals)
    except JobError as error:
        return Check("vocabulary", "does not suffice", "fails", str(error))
    return Check("vocabulary", "reads the prompts, the objectives' names and every weight")
