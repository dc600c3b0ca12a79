"""Files written whole, what tells their content, and how people write where they are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Write readable JSON atomically: temporary file, flush to disk, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "w", encoding="utf-8") as handle:
        json.dump(value, handle, indent=1, allow_nan=False)
        handle.write("\n")
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def timestamp(seconds: float | None = None) -> str:
    """A time in UTC, ISO 8601; now, if none is given."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def expanded(path: str) -> str:
    """A path with `~` and `$NAME` replaced, as a shell does; what cannot be is no folder's name.

    Raises: ValueError with the mend.
    """
    for name in re.findall(r"\$\{?(\w+)", path):
        if not os.environ.get(name):
            raise ValueError(f"the variable {name} is not set; set it, or write the path itself")
    found = os.path.expanduser(os.path.expandvars(path))
    if found.startswith("~"):
        raise ValueError("nobody here has that home; write the path itself")
    return found
