"""The command line that every script of the workflow shares: --spec spec.json --out DIR."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

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
    args = arguments(description).parse_args()

    def work() -> int:
        spec = read_spec(args.spec, args.out)
        # Another checkout may have made it while this job was queued.
        return make(main, spec, args.out, lambda: restore(args.out, planned_at()))[0]

    leave_with(work, args.out.name)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The command line of a script."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spec", type=Path, required=True, help="the entry's spec.json")
    parser.add_argument(
        "--out", type=Path, required=True, help="its folder in the store: <stage>/<name>-<key>"
    )
    return parser


def leave_with(work: Callable[[], int], name: str) -> NoReturn:
    """End this process with the exit code that `work` returns, in order whenever a signal comes."""
    try:
        with preemption.listening():
            status = work()
    except preemption.Preempted as left:  # while it waited or began: there is nothing to save
        print(f"{name} leaves: {left}", file=sys.stderr)
        status = preemption.RETRY
    sys.exit(status)


def planned_at() -> float:
    """When this run looked at the store, in seconds since the epoch; by hand, all is made anew."""
    return float(os.environ.get(PLANNED_AT, "inf"))


def make(
    main: Callable[[Job], None],
    spec: dict[str, Any],
    out: Path,
    is_there: Callable[[], bool],
    before: Callable[[], None] = lambda: None,
) -> tuple[int, str]:
    """Make an entry, unless it is there by the time it is this process's turn.

    before: what has to be done before the entry is begun, as part of the attempt.
    Returns: the exit code and, unless that is 0, why. Raises: Preempted outside the attempt itself.
    """
    if not is_main():
        only_errors = logging.StreamHandler()
        only_errors.setLevel(logging.ERROR)
        with _log_to([only_errors]):
            return _attempt(main, spec, out, before)
    work = work_folder(out.resolve().parent.parent, out.name.rsplit("-", 1)[1])
    with only_one(work, _say_waiting):
        if is_there():
            shutil.rmtree(work, ignore_errors=True)  # others may be waiting in the folder
            return 0, ""
        written = logging.FileHandler(work / "log.txt", encoding="utf-8")
        with _log_to([logging.StreamHandler(), written]):
            attempt = 1 + sum("started" in line for line in read_attempts(work))
            note_attempt(work, attempt=attempt, started=timestamp(), **who())
            log.info("%s %s: %s", spec["stage"], spec["name"], out)
            status, message = _attempt(main, spec, out, before)
            if status:
                outcome = "preempted" if status == preemption.RETRY else "failed"
                end = {"ended": timestamp(), "outcome": outcome, "message": message}
                note_attempt(work, attempt=attempt, **end)
    return status, message


def read_spec(path: Path, out: Path) -> dict[str, Any]:
    """A job's spec; if another job finished the entry and cleared its work away, the entry's own."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        published = out / "spec.json"  # the same content, or it would have another key
        if not published.is_file():
            raise
        return json.loads(published.read_text())


def _check_versions(planned: dict[str, str]) -> None:
    """Raise JobError if a library here is not the one that the key tells of: a container has its own."""
    here = {name: _version(name) for name in planned}
    if other := [name for name in planned if here[name] != planned[name]]:
        told = ", ".join(f"{name} {here[name]} for {planned[name]}" for name in other)
        raise JobError(
            f"this job has other packages than it was planned with: {told}; give Snakemake and its jobs "
            "the same (`make setup`, and `make container` for an image)"
        )


def _version(name: str) -> str:
    """Installed, without a local suffix, as the key has it."""
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _attempt(
    main: Callable[[Job], None], spec: dict[str, Any], out: Path, before: Callable[[], None]
) -> tuple[int, str]:
    """Run a job once. Returns: its exit code and, unless that is 0, why."""
    name = f"{spec['stage']} {spec['name']}"
    try:
        _check_versions(spec.get("versions", {}))
        before()
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


@contextmanager
def _log_to(handlers: list[logging.Handler]) -> Iterator[None]:
    """A block that logs there; after it, a job that makes several entries logs where it did before."""
    root = logging.getLogger()
    before = root.handlers[:]
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    root.handlers[:] = handlers
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "urllib3", "filelock", "fsspec", "torchao"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers[:] = before
        for handler in handlers:
            handler.close()
