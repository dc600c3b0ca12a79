"""Rows of a dataset, raw or as records: of a local file of JSON lines, or of a split of a hub dataset."""

from __future__ import annotations

import gzip
import json
import logging
import lzma
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset

from moa.datasets.records import IrregularRow, to_dataset
from moa.runtime.errors import JobError
from moa.runtime.hub_cache import snapshot
from moa.runtime.hub_lock import ROW_FILES

log = logging.getLogger(__name__)
Row = dict[str, Any]


def read_records(
    to_record: Callable[[Row], Row],
    source: str | Path,
    split: str,
    revision: str,
    commit: str | None,
    dropped: Counter[str] | None,
) -> Dataset:
    """All rows of a source that `to_record` can make a record of.

    The others, for which it raises IrregularRow, are dropped, as are empty ones; `dropped`, if given,
    counts them by reason, and a log line does always. Raises: as `read_rows`.
    """
    counts: Counter[str] = Counter() if dropped is None else dropped

    def records() -> Iterator[Row]:
        for row in read_rows(source, split, revision, commit):
            try:
                yield to_record(row)
            except IrregularRow as error:
                counts[str(error)] += 1

    dataset = to_dataset(records(), counts)
    log.info("%s: %d rows kept, dropped %s", source, len(dataset), dict(counts) or "none")
    return dataset


def read_rows(source: str | Path, split: str, revision: str, commit: str | None) -> Iterator[Row]:
    """Rows of a .jsonl file, plain or packed, or else of a split of a folder or a fetched hub dataset.

    Files of a folder belong to a split as `datasets` has it: by the repository's own configuration,
    else by their names. Of HH-RLHF that is everything but the red-teaming transcripts.

    Raises: ValueError if a line is not a JSON object (file and line are named); JobError if a hub
    dataset was not fetched, or if there is no such split.
    """
    path = snapshot(str(source), revision, commit, "dataset")
    if path.name.endswith(ROW_FILES):
        yield from _json_lines(path)
        return
    try:
        # Streamed, since otherwise a second copy of everything is left in the user's own cache.
        rows = load_dataset(str(path), split=split, streaming=True)
    except (ValueError, FileNotFoundError) as error:
        raise JobError(f"{source}, split {split!r}: {error}") from None
    yield from rows


def _json_lines(path: Path) -> Iterator[Row]:
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as handle:
        for number, line in enumerate(handle, start=1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number}: not JSON ({error})") from None
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {number}: not a JSON object")
            yield row
