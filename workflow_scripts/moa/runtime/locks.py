"""One job at a time per content key, also when several checkouts share a store.

The lock is a POSIX record lock on `work/<key>/lock`: the kernel drops it when its process ends, however
that happens, and on a shared file system it holds between nodes.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LOCK = "lock"


@contextmanager
def only_one(work: Path, waiting: Callable[[str], None]) -> Iterator[bool]:
    """Hold the lock of a work folder; wait while another process has it.

    waiting: called once with who has it. Yields: whether there was a wait.
    """
    waited = False
    while True:
        work.mkdir(parents=True, exist_ok=True)
        try:
            handle = open(work / LOCK, "a+", encoding="utf-8")  # noqa: SIM115 (closing it unlocks)
        except FileNotFoundError:  # its owner finished and removed the folder just now
            continue
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            if not waited:
                waiting(_owner(work))
            waited = True
            handle.close()
            time.sleep(2)
            continue
        if _same_file(handle, work / LOCK):
            break
        handle.close()  # its owner finished and removed the folder meanwhile
    try:
        handle.truncate(0)
        handle.write(json.dumps(who()))
        handle.flush()
        yield waited
    finally:
        handle.close()


def is_locked(work: Path) -> bool:
    """Whether a process holds the lock of a work folder."""
    try:
        with open(work / LOCK, "rb") as handle:
            # A shared lock needs no right to write, and two who look do not see each other.
            fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: which one depends on the system
        return True
    return False


def who() -> dict[str, Any]:
    """This process, for other people's eyes."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }


def _owner(work: Path) -> str:
    try:
        owner = json.loads((work / LOCK).read_text())
    except (OSError, ValueError):
        return "another process"
    job = f", Slurm job {owner['slurm_job']}" if owner["slurm_job"] else ""
    return f"process {owner['pid']} on {owner['host']}{job}"


def _same_file(handle: Any, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
