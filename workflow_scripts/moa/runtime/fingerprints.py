"""What a local folder or file holds, as a short hash: it is to a local path what a commit is to the hub.

Used when the workflow is parsed, so it must not read tens of gigabytes: of a large file only blocks
spread evenly over it count, and its size. Other weights of the same shape differ in all of them. A job that
reads a person's own file compares: people edit these while a run is under way.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from moa.runtime.errors import JobError
from moa.runtime.files import file_digest

WHOLE = 16 * 2**20  # bytes; a file up to this size is read whole
BLOCKS, BLOCK = 16, 2**16  # how many are read of a larger one, and the bytes of each


def fingerprint(path: Path) -> str | None:
    """First 12 hex digits of sha256 over names and contents; None if nothing is there.

    Hidden files and folders (.git, .cache) do not count; links count as what they lead to.
    """
    if path.is_file():
        return _digest([("", path)])
    if not path.is_dir():
        return None
    found = ((p.relative_to(path), p) for p in path.rglob("*"))
    return _digest(
        sorted(
            (name.as_posix(), p)
            for name, p in found
            if p.is_file() and not any(part.startswith(".") for part in name.parts)
        )
    )


def whole_digest(path: Path) -> str:
    """sha256 of all of a file, in hex: of what a person may change a line of, blocks are not enough."""
    stat = path.stat()
    return _whole(path, stat.st_size, stat.st_mtime_ns)


@cache
def _whole(path: Path, size: int, mtime_ns: int) -> str:
    return file_digest(path)


def require_planned(path: Path, planned: str | None) -> None:
    """Check that a file holds what it held when the run was planned. planned: its `whole_digest` then.

    Raises: JobError if it does not, or is no longer there.
    """
    if not path.is_file():
        raise JobError(
            f"{path.absolute()}: there is no such file, which the config names and which is looked for "
            "beside the config; put it back"
        )
    if planned is not None and whole_digest(path) != planned:
        raise JobError(
            f"{path.absolute()} has changed since this run was planned, and what is made of it would have "
            "the key of the older one: run the same command again, which plans anew"
        )


def _digest(files: list[tuple[str, Path]]) -> str:
    whole = hashlib.sha256()
    for name, path in files:
        stat = path.stat()
        whole.update(f"{name}\0{_read(path, stat.st_size, stat.st_mtime_ns)}\0".encode())
    return whole.hexdigest()[:12]


@cache
def _read(path: Path, size: int, mtime_ns: int) -> str:
    """Digest of a file's size and content, as far as it counts."""
    digest = hashlib.sha256(f"{size}\0".encode())
    with open(path, "rb") as handle:
        if size <= WHOLE:
            digest.update(handle.read())
        else:
            for i in range(BLOCKS):  # the first and the last block are the file's ends
                handle.seek(i * (size - BLOCK) // (BLOCKS - 1))
                digest.update(handle.read(BLOCK))
    return digest.hexdigest()
