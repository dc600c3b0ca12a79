"""attempts.jsonl: what became of every start of a job, one line when it starts and one when it ends."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

ATTEMPTS = "attempts.jsonl"


def note_attempt(work: Path, **facts: Any) -> None:
    """Append a line to a work folder's attempts.jsonl."""
    with open(work / ATTEMPTS, "a", encoding="utf-8") as handle:
        handle.write(json.dumps(facts) + "\n")


def read_attempts(work: Path) -> list[dict[str, Any]]:
    """Every start of a job and, if it could still tell, its end: the lines of attempts.jsonl."""
    path = work / ATTEMPTS
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]  # a kill may cut the last


def last_attempt(work: Path) -> dict[str, Any]:
    """The last start and, if it was written, its end, in one; empty if the job never started."""
    last: dict[str, Any] = {}
    for line in json_lines(work / ATTEMPTS):
        if "started" in line:
            last = line
        elif line["attempt"] == last.get("attempt"):
            last = {**last, **line}
    return last


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a growing .jsonl file; a missing file has none.

    Half a line is left out: it is being written, or its writer was killed.
    """
    lines = []
    with suppress(FileNotFoundError):
        for line in path.read_text(encoding="utf-8").splitlines():
            with suppress(json.JSONDecodeError):
                lines.append(json.loads(line))
    return lines
