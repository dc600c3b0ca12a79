"""The command line that every script of the workflow shares: --spec spec.json --out DIR."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moa.runtime import preemption
from moa.runtime.attempts import note_attempt, read_attempts
from moa.runtime.errors import JobError
from moa.runtime.files import timestamp
from moa.runtime.locks import only_one, who
from moa.runtime.publishing import Job, is_main, publishing, restore, work_folder

log = logging.getLogger("moa")
PLANNED_AT = (
    "MOA_PLANNED_AT"  # set by the Snakefile: when this run of Snakemake looked at the store
)


def run(main: Callable[[Job], None], description: str | None) -> None:
    """Parse the command line, run `main` inside `publishing`, and log to stderr and log.txt.

    An expected failure (bad data, an oracle's NaN, a loss that is not finite) ends with its one
    message; a programming error keeps its traceback. Both exit with 1 and publish nothing. A job
    that had to leave exits with `preemption.RETRY`; its next attempt resumes.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spec", type=Path, required=True, help="the entry's spec.json")
    parser.add_argument(
        "--out", type=Path, required=True, help="its folder in the store: <stage>/<name>-<key>"
    )
    args = parser.parse_args()
    try:
        with preemption.listening():
            status = _run(main, _read_spec(args.spec, args.out), args.out)
    except preemption.Preempted as left:  # while it waited or began: there is nothing to save
        print(f"{args.out.name} leaves: {left}", file=sys.stderr)
        status = preemption.RETRY
    sys.exit(status)


def _run(main: Callable[[Job], None], spec: dict[str, Any], out: Path) -> int:
    """Make an entry, unless another process has made it by the time it is this one's turn.

    Returns: the exit code. Raises: Preempted outside the attempt itself.
    """
    if not is_main():
        only_errors = logging.StreamHandler()
        only_errors.setLevel(logging.ERROR)
        _log_to([only_errors])
        return _attempt(main, spec, out)[0]
    work = work_folder(out.resolve().parent.parent, out.name.rsplit("-", 1)[1])
    with only_one(work, _say_waiting):
        if restore(out, float(os.environ.get(PLANNED_AT, "inf"))):
            # Another checkout made it while this job was queued; others may be waiting in the folder.
            shutil.rmtree(work, ignore_errors=True)
            return 0
        _log_to([logging.StreamHandler(), logging.FileHandler(work / "log.txt", encoding="utf-8")])
        attempt = 1 + sum("started" in line for line in read_attempts(work))
        note_attempt(work, attempt=attempt, started=timestamp(), **who())
        log.info("%s %s: %s", spec["stage"], spec["name"], out)
        status, message = _attempt(main, spec, out)
        if status:
            outcome = "preempted" if status == preemption.RETRY else "failed"
            end = {"ended": timestamp(), "outcome": outcome, "message": message}
            note_attempt(work, attempt=attempt, **end)
    return status


def _read_spec(path: Path, out: Path) -> dict[str, Any]:
    """A job's spec; if another job finished the entry and cleared its work away, the entry's own."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        published = out / "spec.json"  # the same content, or it would have another key
        if not published.is_file():
            raise
        return json.loads(published.read_text())


def _attempt(main: Callable[[Job], None], spec: dict[str, Any], out: Path) -> tuple[int, str]:
    """Run a job once. Returns: its exit code and, unless that is 0, why."""
    name = f"{spec['stage']} {spec['name']}"
    try:
        with publishing(spec, out) as job:
            main(job)
    except preemption.Preempted as left:
        log.warning("%s leaves: %s. Its next attempt resumes", name, left)
        return preemption.RETRY, str(left)
    except JobError as error:
        log.error("%s failed: %s", name, error)
        return 1, str(error)
    except Exception as error:
        log.exception("%s failed", name)
        return 1, f"{type(error).__name__}: {error}"
    return 0, ""


def _say_waiting(owner: str) -> None:
    print(f"{owner} is making this entry; waiting for it", file=sys.stderr, flush=True)


def _log_to(handlers: list[logging.Handler]) -> None:
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=handlers,
        force=True,
    )
    for noisy in ("httpx", "urllib3", "filelock", "fsspec", "torchao"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
