"""What a self-check says of one thing: what was looked at, what was found, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from moa.runtime.errors import JobError

Verdict = Literal["ok", "note", "fails"]


@dataclass(frozen=True)
class Check:
    """verdict: `note` for what is worth knowing and stops nothing. mend: of what fails."""

    what: str
    found: str
    verdict: Verdict = "ok"
    mend: str = ""

    @classmethod
    def of(cls, what: str, found: str, passed: bool, mend: str) -> Check:
        """A check that passes or fails."""
        return cls(what, found) if passed else cls(what, found, "fails", mend)


def require(checks: Iterable[Check], of: str) -> None:
    """Raise JobError that says everything that fails, and how to mend it. of: what was checked."""
    failed = [check for check in checks if check.verdict == "fails"]
    if failed:
        raise JobError("\n".join(f"{of}: {c.what}: {c.found}. {c.mend}" for c in failed))
