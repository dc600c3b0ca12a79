"""PKU-SafeRLHF: one prompt, two responses, a label for the better and one for the safer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from datasets import Dataset

from moa.datasets.reading import read_records
from moa.datasets.records import bit, is_missing, text

HUB = {"source": "dataset"}  # a hub id under `source` is pinned to a commit


def load(params: dict[str, Any], dropped: Counter[str]) -> Dataset:
    """The dataset kind `pku_saferlhf`; params: source, split, revision, commit."""
    return load_pku_saferlhf(
        params["source"],
        split=params["split"],
        revision=params["revision"],
        commit=params.get("commit"),
        dropped=dropped,
    )


def load_pku_saferlhf(
    source: str | Path,
    *,
    split: str = "train",
    revision: str = "main",
    commit: str | None = None,
    dropped: Counter[str] | None = None,
) -> Dataset:
    """PKU-SafeRLHF as records: chosen is the `better_response_id`'s response.

    Further columns: `safer` (bool: chosen is also the safer one), `chosen_is_safe`,
    `rejected_is_safe`. source: a hub id (fetched before, at `commit`), or a
    local file or folder in the same schema.
    Rows with a missing or unreadable field or label are dropped (the flags of safety may be missing);
    `dropped`, if given, counts them by reason.
    """
    return read_records(to_record, source, split, revision, commit, dropped)


def to_record(row: dict[str, Any]) -> dict[str, Any]:
    """One row to the common record. Raises: IrregularRow naming the field at fault."""
    prompt, *responses = (text(row, name) for name in ("prompt", "response_0", "response_1"))
    better, safer = bit(row, "better_response_id"), bit(row, "safer_response_id")
    safe = [_flag(row, f"is_response_{i}_safe") for i in (0, 1)]
    return {
        "prompt": prompt.strip(),
        "chosen": responses[better].strip(),
        "rejected": responses[1 - better].strip(),
        "safer": better == safer,
        "chosen_is_safe": safe[better],
        "rejected_is_safe": safe[1 - better],
    }


def _flag(row: dict[str, Any], name: str) -> bool | None:
    return None if is_missing(row, name) else bool(bit(row, name))
