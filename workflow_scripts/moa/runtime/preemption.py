"""Leaving early: a signal came, or the Slurm time limit is near. The next attempt resumes.

Preemption and `scancel` send SIGTERM, `scancel --signal=USR1` SIGUSR1. A job that gets one ends with
exit code RETRY at once, except in a `deferred` block: there training asks `reason()` after every step,
saves, and leaves by itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from types import FrameType

RETRY = 75  # EX_TEMPFAIL of sysexits.h: not done, but worth another attempt
MARGIN_SECONDS = 60.0  # before the time limit, beside the time that a step and a save take

_received: list[str] = []
_deferred = False
_leaving = False


class Preempted(BaseException):
    """The job has to leave. Not an Exception, so that no `except Exception` on the way stops it."""


@contextmanager
def listening() -> Iterator[None]:
    """A block in which SIGTERM or SIGUSR1 leads to `Preempted` or, in `deferred`, to a `reason()`.

    The first one alone does: a second must not stop what the first made the job do before it leaves.
    """
    before = {n: signal.signal(n, _receive) for n in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[None]:
    """A block that asks `reason()` itself; it is never interrupted."""
    global _deferred
    _deferred = True
    try:
        yield
    finally:
        _deferred = False


def reason(seconds_needed: float = 0.0) -> str | None:
    """Why the job should save and leave now, or None.

    seconds_needed: what one more step and the save after it take; with that much time and
    MARGIN_SECONDS left before the time limit, a job goes on.
    """
    if _received:
        return f"{_received[0]} was received"
    end = time_limit()
    left = float("inf") if end is None else end - time.time()
    if left < MARGIN_SECONDS + seconds_needed:
        return f"the Slurm time limit is {max(0, left):.0f} s away"
    return None


@cache
def time_limit() -> float | None:
    """When Slurm will end this job, in seconds since the epoch; None outside Slurm or if unlimited."""
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        return None
    command = ["squeue", "--noheader", f"--job={job}", "--format=%e"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return datetime.fromisoformat(done.stdout.strip()).timestamp()
    except ValueError:  # unlimited, or this is a shell on a login node whose job has ended
        return None


def _receive(number: int, frame: FrameType | None) -> None:
    global _leaving
    name = signal.Signals(number).name
    _received.append(name)
    if not _deferred and not _leaving:
        _leaving = True
        raise Preempted(f"{name} was received")
