"""The common record and what every loader shares: reading a row's fields, dropping bad rows."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

from datasets import Dataset

from moa.runtime.errors import JobError

COLUMNS = ("prompt", "chosen", "rejected")
_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # Unicode's categories
_DANGLING = re.compile(r"\b(Human|Assistant):\s*$")  # a turn that says nothing
# A column with a gap becomes one of floats, and one that a table's program wrote may be of words.
_BITS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


class IrregularRow(ValueError):
    """A row that cannot become a record; its message is the reason that is counted."""


def text(row: dict[str, Any], name: str) -> str:
    """A field that must be there and be text, with \\n for each line break.

    Raises: IrregularRow naming the field and what it is.
    """
    if is_missing(row, name):
        raise IrregularRow(f"no {name}")
    value = row[name]
    if not isinstance(value, str):
        raise IrregularRow(f"{name} is not text but of type {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise IrregularRow(f"{name} has half of a character (a lone surrogate)") from None
    return value.replace("\r\n", "\n").replace("\r", "\n")


def bit(row: dict[str, Any], name: str) -> int:
    """A field that must be there and say 0 or 1, in whatever form: 1.0, true and "True" are 1.

    Raises: IrregularRow naming the field.
    """
    if is_missing(row, name):
        raise IrregularRow(f"no {name}")
    found = _BITS.get(str(row[name]).strip().lower())
    if found is None:
        raise IrregularRow(f"{name} is neither 0 nor 1, false nor true")
    return found


def is_missing(row: dict[str, Any], name: str) -> bool:
    """Whether a field is not there, null, or NaN, which is a table's way to say null."""
    value = row.get(name)
    return value is None or (isinstance(value, float) and math.isnan(value))


def to_dataset(
    records: Iterable[dict[str, Any]], dropped: Counter[str], source: str = "the dataset"
) -> Dataset:
    """Records to a Dataset; what is not text, has no prompt, one that ends with a speaker mark, or an
    empty response is counted, not kept.

    A `rejected` of None (one response only) is kept; an empty string is an empty response.
    source: what a message calls them. Raises: JobError if no record is left.
    """
    kept = []
    for record in records:
        try:
            kept.append(record | _texts(record))
        except IrregularRow as error:
            dropped[str(error)] += 1
    if not kept:
        reasons = ", ".join(f"{n} times {reason!r}" for reason, n in dropped.most_common())
        raise JobError(
            f"no row of {source} can be used ({reasons or 'it has no rows'}): check that it is of "
            "the kind that the config says"
        )
    return Dataset.from_list(kept)


def _texts(record: dict[str, Any]) -> dict[str, str | None]:
    """A record's common columns. Raises: IrregularRow with what is wrong."""
    alone = record["rejected"] is None
    found = {name: text(record, name) for name in COLUMNS if not (alone and name == "rejected")}
    if not _has_visible(found["prompt"]):
        raise IrregularRow("no prompt")
    if _DANGLING.search(found["prompt"]):
        raise IrregularRow("the prompt ends with a speaker mark")
    if not all(_has_visible(found[name]) for name in found):
        raise IrregularRow("empty response")
    return {**found, "rejected": None} if alone else {**found}


def _has_visible(text: str) -> bool:
    """Whether a text is more than white space, marks of zero width and control characters."""
    return any(unicodedata.category(c) not in _INVISIBLE for c in text)
