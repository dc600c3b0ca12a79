"""Anthropic HH-RLHF: pairs of transcripts that differ in the last assistant turn."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from datasets import Dataset

from moa.datasets.reading import read_records
from moa.datasets.records import IrregularRow, text

HUB = {"source": "dataset"}  # a hub id under `source` is pinned to a commit
_MARK = re.compile(r"\n\n(Human|Assistant):")


def load(params: dict[str, Any], dropped: Counter[str]) -> Dataset:
    """The dataset kind `hh_rlhf`; params: source, split, revision, commit."""
    return load_hh_rlhf(
        params["source"],
        split=params["split"],
        revision=params["revision"],
        commit=params.get("commit"),
        dropped=dropped,
    )


def load_hh_rlhf(
    source: str | Path,
    *,
    split: str = "train",
    revision: str = "main",
    commit: str | None = None,
    dropped: Counter[str] | None = None,
) -> Dataset:
    """HH-RLHF as records: prompt (all turns up to the last human one), chosen, rejected.

    source: a hub id (fetched before, at `commit`), or a local file or folder, with `chosen` and
    `rejected` transcripts.
    Rows whose transcripts are no text, do not alternate, lack the first or the last question or the final
    assistant turn, or do not share their prompt are dropped; `dropped`, if given, counts them by reason.
    """
    return read_records(to_record, source, split, revision, commit, dropped)


def to_record(row: dict[str, Any]) -> dict[str, Any]:
    """One row to the common record. Raises: IrregularRow naming what is wrong."""
    (prompt, chosen), (other, rejected) = (
        split_transcript(text(row, name)) for name in ("chosen", "rejected")
    )
    if prompt != other:
        raise IrregularRow("transcripts do not share their prompt")
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def split_transcript(transcript: str) -> tuple[str, str]:
    """Split a transcript at its last assistant turn: (x, response).

    x starts inside the first human turn (G(x, w) writes that mark) and keeps the marks between
    turns. Raises: IrregularRow if the turns do not alternate from Human to Assistant, or the first human
    one (whose mark would be followed by the next) or the last says nothing.
    """
    marks = list(_MARK.finditer(transcript))
    if not marks or transcript[: marks[0].start()].strip():
        raise IrregularRow("text before the first speaker mark")
    speakers = [mark.group(1) for mark in marks]
    if speakers[-1] != "Assistant":
        raise IrregularRow("no final assistant turn")
    if speakers != ["Human", "Assistant"] * (len(marks) // 2):
        raise IrregularRow("speakers do not alternate")
    for which, turn in (("last", -2), ("first", 0)):
        if not transcript[marks[turn].end() : marks[turn + 1].start()].strip():
            raise IrregularRow(f"no prompt: the {which} human turn is empty")
    return (
        transcript[marks[0].end() : marks[-1].start()].strip(),
        transcript[marks[-1].end() :].strip(),
    )
