"""Rows of a dataset, raw or as records: of a file of JSON lines, or of a split of a folder or the hub."""

from __future__ import annotations

import gzip
import json
import logging
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset

from moa.datasets.records import IrregularRow, to_dataset
from moa.runtime.errors import JobError
from moa.runtime.hub_cache import snapshot
from moa.runtime.hub_lock import ROW_FILES, WHOLE_FILE

log = logging.getLogger(__name__)
Row = dict[str, Any]
FORM = 'a file of rows has one JSON object per line, such as {"prompt": "..", ..}'


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
    counts them by reason, and a log line does always. Raises: as `read_rows`; JobError if no row is left.
    """
    counts: Counter[str] = Counter() if dropped is None else dropped

    def records() -> Iterator[Row]:
        for row in read_rows(source, split, revision, commit):
            try:
                yield to_record(row)
            except IrregularRow as error:
                counts[str(error)] += 1

    dataset = to_dataset(records(), counts, str(source))
    log.info("%s: %d rows kept, dropped %s", source, len(dataset), dict(counts) or "none")
    return dataset


def read_rows(source: str | Path, split: str, revision: str, commit: str | None) -> Iterator[Row]:
    """Rows of a .jsonl file, plain or packed, or else of a split of a folder or a fetched hub dataset.

    Files of a folder belong to a split as `datasets` has it: by the repository's own configuration,
    else by their names. Of HH-RLHF that is everything but the red-teaming transcripts. A single file
    has no splits, so it is all of the default one.

    Raises: JobError if there is no such split, if a file cannot be read or a line is not a JSON object
    (file and line are named), or if a hub dataset was not fetched.
    """
    path = snapshot(str(source), revision, commit, "dataset")
    if not path.is_file():
        yield from _split_of(path, source, split)
        return
    if not path.name.endswith(ROW_FILES):
        raise JobError(
            f"{path} is no file of rows by its name, which must end in {', '.join(ROW_FILES)}, and "
            f"{FORM}; make it one, or put it into a folder of its own and give that"
        )
    if split != WHOLE_FILE:
        raise JobError(
            f"{path} is a single file and has no split {split!r}: leave `split` out, or give a folder "
            "with a file of that name"
        )
    yield from (row for _, row in json_lines(path))


def _split_of(folder: Path, source: str | Path, split: str) -> Iterator[Row]:
    try:
        # Streamed, since otherwise a second copy of everything is left in the user's own cache.
        yield from load_dataset(str(folder), split=split, streaming=True)
    except Exception as error:  # whatever the library's many readers raise, it is about these files
        raise JobError(
            f"{source}, split {split!r}, cannot be read: {error} ({type(error).__name__}); if its files "
            "are of JSON lines, give one of them as the source to be told which line is at fault"
        ) from error


def json_lines(path: Path) -> Iterator[tuple[int, Row]]:
    """The rows of a .jsonl file, plain or packed, each with the number of its line; empty lines are none.

    Raises: JobError, with the file and the line, if it cannot be read or a line is not a JSON object.
    """
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path}, line {number}"
        # By its mark or by its null bytes, of which UTF-8 has none; all lines are in the first one's.
        encoding = json.detect_encoding(line) if number == 1 else "utf-8"
        if not encoding.startswith("utf-8"):
            raise JobError(
                f"{where}: in {encoding.upper()}, not UTF-8; convert the file, for example with "
                f"`iconv -f {encoding.upper()} -t UTF-8`"
            )
        try:
            content = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise JobError(
                f"{where}: not UTF-8 (byte {error.object[error.start]:#x} at {error.start + 1}); find out "
                "in which encoding it was saved, or whether it was damaged, and convert the file, for "
                "example with `iconv -f WINDOWS-1252 -t UTF-8` if it is that of western Windows"
            ) from None
        if not content:
            continue
        try:
            row = json.loads(content)
        except json.JSONDecodeError as error:
            raise JobError(
                f"{where}: not JSON ({error.msg} at character {error.pos + 1}); {FORM}"
            ) from None
        except (ValueError, RecursionError) as error:  # endless digits or brackets
            raise JobError(f"{where}: not JSON that can be read ({error}); {FORM}") from None
        if not isinstance(row, dict):
            raise JobError(f"{where}: not a JSON object; {FORM}")
        yield number, row


def _lines(path: Path) -> Iterator[bytes]:
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    try:
        with openers.get(path.suffix, open)(path, "rb") as handle:
            yield from handle
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise JobError(
            f"{path} cannot be unpacked ({error}): it is not what its ending {path.suffix} says, or not "
            "all of it is there; copy it again, or rename it"
        ) from None
