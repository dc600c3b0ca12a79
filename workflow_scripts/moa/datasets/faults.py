"""What is wrong with a file of rows, told all at once; and how messages spell what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moa.runtime.errors import JobError

NAMED = 4  # rows, or things, that a message names of each kind
FAULTS = 10  # kinds of faults that it tells
CUT = 60  # characters of a text that it quotes


class Faults:
    """What is wrong with a file, by reason, with the rows where it is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, list[int]] = {}

    def add(self, row: int, why: str) -> None:
        self._rows.setdefault(why, []).append(row)

    def raise_any(self) -> None:
        """Raises: JobError if there are any, a line for each reason."""
        told = [f"{self._path}, {_named(rows)}: {why}" for why, rows in self._rows.items()]
        if len(told) > FAULTS:
            told = [*told[:FAULTS], f"{self._path}: and {len(told) - FAULTS} more that is wrong"]
        if told:
            raise JobError("\n".join(told))


def _named(rows: Sequence[int]) -> str:
    """`row 3`, or `rows 3, 5, 8, 9 and 20 more`."""
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return f"row{'s' * (len(rows) > 1)} {', '.join(map(str, rows[:NAMED]))}{more}"


def some(found: Sequence[str]) -> str:
    more = f", and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return "; ".join(found[:NAMED]) + more


def vector(w: Any) -> str:
    return f"[{', '.join(f'{float(x):g}' for x in w)}]"


def quoted(text: str) -> str:
    return repr(text if len(text) <= CUT else f"{text[:CUT]}..")


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= CUT else f"{text[:CUT]}.."
