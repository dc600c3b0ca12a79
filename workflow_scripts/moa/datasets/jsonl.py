"""Rows of your own: a file of JSON lines with `prompt`, `chosen` and `rejected`, or with prompts alone."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset

from moa.datasets.reading import json_lines
from moa.datasets.records import IrregularRow, is_missing, text, to_dataset
from moa.runtime.fingerprints import require_planned

log = logging.getLogger(__name__)
RESPONSES = ("chosen", "rejected")
NONE_YET = "-"  # stands in for a response while a row is checked
SHOWN = 10  # lines named for one reason


def load(params: dict[str, Any], dropped: Counter[str]) -> Dataset:
    """The dataset kind `jsonl`; params: path, responses (`file`, or `base`: only prompts are read, and
    `chosen` and `rejected` are None until the base has answered), contents.

    Rows without a prompt, with a response that is no text or empty, or (of `file`) without `chosen` are
    dropped; `dropped` counts them by reason, and a warning names their lines.
    Raises: JobError if the file is not as it was planned with, cannot be read, or no row of it can be used.
    """
    path = Path(params["path"])
    require_planned(path, params.get("contents", {}).get("path"))
    asks = params["responses"] == "base"
    lines: dict[str, list[int]] = {}
    try:
        dataset = to_dataset(_records(path, asks, dropped, lines), dropped, str(path.absolute()))
    finally:
        for reason, numbers in lines.items():
            shown = ", ".join(map(str, numbers[:SHOWN])) + ", .." * (len(numbers) > SHOWN)
            log.warning("%s: %d rows dropped, %s: lines %s", path, len(numbers), reason, shown)
    log.info("%s: %d rows kept", path, len(dataset))
    if asks:
        dataset = dataset.remove_columns("chosen").add_column("chosen", [None] * len(dataset))
    return dataset


def _records(
    path: Path, asks: bool, dropped: Counter[str], lines: dict[str, list[int]]
) -> Iterator[dict[str, Any]]:
    """What the rows say, as records. lines: gets the lines of what is dropped, here or by who takes it."""
    for number, row in json_lines(path):
        before = dropped.copy()
        try:
            yield _record(row, asks)
        except IrregularRow as error:
            dropped[str(error)] += 1
        for reason in dropped - before:
            lines.setdefault(reason, []).append(number)


def _record(row: dict[str, Any], asks: bool) -> dict[str, Any]:
    """One row. Raises: IrregularRow naming what is wrong."""
    if asks:
        return {"prompt": text(row, "prompt").strip(), "chosen": NONE_YET, "rejected": None}
    if not is_missing(row, "prompt") and all(is_missing(row, name) for name in RESPONSES):
        raise IrregularRow(
            "no chosen (for prompts alone, set responses: base under the task's data)"
        )
    one = is_missing(row, "rejected")
    return {
        "prompt": text(row, "prompt").strip(),
        "chosen": text(row, "chosen").strip(),
        "rejected": None if one else text(row, "rejected").strip(),
    }
