"""Responses of a user's own, out of a file: a row per prompt, preference vector and seed.

A row has `prompt`, `w` (K numbers, in the order of the objectives) and `response`; where wanted also
`scores` (an object, one number per objective; in csv a column `score_<objective>` for each) and `seed`.
More columns are free. Rows are counted from 1: the lines of a .jsonl file, the records of a .csv below its
header.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from moa.datasets.faults import Faults, short, vector
from moa.runtime.errors import JobError

ENDINGS = (".jsonl", ".jsonl.gz", ".csv")
COLUMNS = ("prompt", "w", "response")
SCORE = "score_"  # of a csv's columns
SUM = 0.0101  # the paper's own (.33, .33, .33) sums to 0.99
LARGEST = 1e30  # of scores: powers of larger ones are beyond float64, and so would be metrics
SEEDS = 2**53  # whole numbers below it are the same as floats, as which a csv's seeds are read
CELL = 2**31 - 1  # characters of a csv's cell; the module's own 131,072 are too few for some


@dataclass(frozen=True)
class Lines:
    """rows: each with row, seed, prompt, response, w_<objective>; raw_<objective> if scores were asked for.

    scored: whether some row has scores.
    """

    path: Path
    rows: list[dict[str, Any]]
    scored: bool


def is_readable(path: Path) -> bool:
    """Whether a file is of lines by its name."""
    return path.name.endswith(ENDINGS)


def read_lines(path: Path, objectives: Sequence[str], scores: bool) -> Lines:
    """All rows of a file. scores: whether every row must have some; else they are not looked at.

    Raises: JobError with all that is wrong and the rows where it is.
    """
    if not is_readable(path):
        raise JobError(
            f"{path} ends with none of {', '.join(ENDINGS)}: save it in one of these forms"
        )
    faults, rows, scored = Faults(path), [], False
    for number, row in _rows(path):
        scored |= row.get("scores") is not None
        try:
            rows.append({"row": number, **_checked(row, objectives, scores)})
        except ValueError as error:
            faults.add(number, str(error))
    if any("seed" in row for row in rows):
        for row in (row for row in rows if "seed" not in row):
            faults.add(
                row["row"], "no `seed`, and other rows have one: give one to all, or to none"
            )
    faults.raise_any()
    if not rows:
        raise JobError(
            f"{path} has no rows: it needs one per prompt and w, with {', '.join(COLUMNS)}"
        )
    return Lines(path, [{"seed": 0, **row} for row in rows], scored)


def _checked(row: Mapping[str, Any], objectives: Sequence[str], scores: bool) -> dict[str, Any]:
    """A row as the table has it, with `seed` if it has one. Raises: ValueError with what is wrong."""
    if absent := [name for name in COLUMNS if row.get(name) is None]:
        raise ValueError(f"no `{'`, `'.join(absent)}`")
    prompt, response = (_text(row, name) for name in ("prompt", "response"))
    if not prompt.strip():
        raise ValueError("the prompt is empty")
    found: dict[str, Any] = {"prompt": prompt, "response": response.strip()}
    found |= {f"w_{o}": w for o, w in zip(objectives, _weights(row["w"], objectives), strict=True)}
    if scores:
        found |= _scores(row.get("scores"), objectives)
    if row.get("seed") is not None:
        found["seed"] = _seed(row["seed"])
    return found


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} is {short(value)}, not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half of a character (a lone surrogate)") from None
    return value.replace("\r\n", "\n").replace("\r", "\n")


def _weights(value: Any, objectives: Sequence[str]) -> list[float]:
    k = len(objectives)
    if not isinstance(value, list) or not all(map(is_number, value)):
        raise ValueError(f"w is {short(value)}, not {k} numbers")
    if len(value) != k:
        raise ValueError(
            f"w has {len(value)} numbers, and there are {k} objectives: {', '.join(objectives)}"
        )
    if min(value) < 0 or abs(sum(value) - 1) > SUM:
        raise ValueError(f"w is {vector(value)}: weights are 0 or more, and sum to 1")
    return [float(weight) for weight in value]


def _scores(value: Any, objectives: Sequence[str]) -> dict[str, float]:
    if not isinstance(value, dict):
        what = "no `scores`" if value is None else f"scores are {short(value)}"
        raise ValueError(f"{what}: give one number per objective ({', '.join(objectives)})")
    for name in objectives:
        if not is_number(value.get(name)):
            said = short(value[name]) if name in value else "missing"
            raise ValueError(f"the score of {name} is {said}, not a finite number")
        if abs(value[name]) > LARGEST:
            raise ValueError(
                f"the score of {name} is {short(value[name])}: scores are from {-LARGEST:g} to "
                f"{LARGEST:g}; divide all of them by one number"
            )
    return {f"raw_{name}": float(value[name]) for name in objectives}


def _seed(value: Any) -> int:
    if not is_number(value) or not 0 <= value < SEEDS or value != int(value):
        raise ValueError(f"seed is {short(value)}, not a whole number from 0 to {SEEDS - 1}")
    return int(value)


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond float64
        return False


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows with their numbers, values as JSON would have them. Raises: JobError."""
    try:
        with _opened(path) as file:
            # By its mark or by its null bytes, of which UTF-8 has none.
            encoding = json.detect_encoding(file.buffer.peek(4)[:4]).upper()  # type: ignore[attr-defined]
            if not encoding.startswith("UTF-8"):
                raise JobError(
                    f"{path} is in {encoding}, not UTF-8: convert it, for example with "
                    f"`iconv -f {encoding} -t UTF-8`"
                )
            yield from (
                _csv_rows(path, file) if path.name.endswith(".csv") else _json_rows(path, file)
            )
    except UnicodeDecodeError as error:
        raise JobError(
            f"{path} is not in UTF-8 (byte {error.object[error.start]:#x}): convert it, for example with "
            "`iconv -f WINDOWS-1252 -t UTF-8` if that is its encoding"
        ) from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise JobError(
            f"{path} cannot be unpacked ({error}): copy it again, or rename it"
        ) from None
    except OSError as error:
        raise JobError(f"{path} cannot be read ({error.strerror}): check the path") from None


def _opened(path: Path) -> TextIO:
    opener = gzip.open if path.name.endswith(".gz") else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _json_rows(path: Path, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    # Not by splitlines: a response may hold U+2028 and its like.
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise JobError(
                f"{path}, row {number}: not JSON ({error}); a row is one JSON object"
            ) from None
        if not isinstance(row, dict):
            raise JobError(f'{path}, row {number}: not a JSON object, such as {{"prompt": ..}}')
        yield number, row


def _csv_rows(path: Path, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(CELL)
    reader = csv.reader(file, strict=True)
    header = next(reader, [])
    if absent := [name for name in COLUMNS if name not in header]:
        raise JobError(
            f"{path} has no column {', '.join(absent)}: its header, the first line, names "
            f"{', '.join(header) or 'nothing'}"
        )
    if double := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
        raise JobError(
            f"{path} has several columns {', '.join(double)}: rename or remove one of each"
        )
    number = 0
    try:
        for number, cells in enumerate(filter(None, reader), start=1):
            if len(cells) != len(header):
                raise JobError(
                    f"{path}, row {number}: {len(cells)} cells, and the header has {len(header)}; quote a "
                    "cell that holds a comma, a quotation mark or a line break"
                )
            yield number, _from_csv(dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise JobError(
            f"{path}, row {number + 1}: not csv ({error}); mend it, or use .jsonl"
        ) from None


def _from_csv(row: dict[str, str]) -> dict[str, Any]:
    """A row with numbers as numbers; what is none is left to be told."""
    scores = {name.removeprefix(SCORE): row[name] for name in row if name.startswith(SCORE)}
    parts = re.split(r"[\s,;]+", row["w"].strip().strip("[]()").strip())
    return {
        **{name: row[name] for name in ("prompt", "response")},
        "w": [_number(part) for part in parts] if row["w"].strip() else None,
        "scores": {name: _number(cell) for name, cell in scores.items()} or None,
        "seed": _number(row["seed"]) if row.get("seed") else None,
    }


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
