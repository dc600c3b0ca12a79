"""Files of a person's own that a config names as they lie beside it: rows, and functions that reward."""

from __future__ import annotations

import os
import re

BESIDE = "beside the config"  # marks a setting that names such a file
_OWN = re.compile(r"(?P<program>.+\.py):[A-Za-z_]\w*|(?P<rows>.+\.jsonl(\.gz|\.xz)?)")


def own_file(value: str) -> str | None:
    """The file that a value names: rows by their ending, or the `file.py` of `file.py:function`; None if it
    names none.
    """
    found = _OWN.fullmatch(value)
    return (found["rows"] or found["program"]) if found else None


def from_here(value: str) -> str:
    """A file below the working folder as seen from there, so that no key has the place of a checkout."""
    file = own_file(value)
    if file is None or not os.path.isabs(file):
        return value
    near = os.path.relpath(file)
    return value if near.split(os.sep)[0] == os.pardir else near + value[len(file) :]
