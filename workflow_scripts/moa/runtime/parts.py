"""A job that makes several entries in turn, the parts, in one process: what they share is loaded once.

Each part has its own work folder, lock, log and publishing, as if a job of its own had made it. The job's
own entry is the receipt that all parts are there: the one output that the workflow manager knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from moa.runtime import preemption
from moa.runtime.errors import JobError
from moa.runtime.job import arguments, leave_with, log, make, planned_at, read_spec
from moa.runtime.publishing import MANIFEST, SEAL, Job, is_published, restore, work_folder


def run_parts(mains: Mapping[str, Callable[[Job], None]], description: str | None) -> None:
    """The entry point of such a job's script, as `moa.runtime.job.run` is of one that makes a single entry.

    mains: what makes an entry of each stage, in this order; the parts are the inputs of the receipt's spec,
    and each one's own spec.json is in its work folder. One that is published is taken as it is. But where
    the receipt was there when the job was planned, it is asked for again on purpose: all are made anew.
    """
    args = arguments(description).parse_args()
    leave_with(lambda: _make_all(mains, args.spec, args.out), args.out.name)


def _make_all(mains: Mapping[str, Callable[[Job], None]], path: Path, out: Path) -> int:
    spec = read_spec(path, out)
    # The workflow manager deletes the manifest of what it is forced to make again, not the seal.
    since = planned_at() if (out / SEAL).exists() else 0.0
    store = out.resolve().parent.parent

    def parts() -> None:
        for stage, main in mains.items():
            for rel in spec["inputs"].values():
                if rel.startswith(f"{stage}/"):
                    _make_part(main, store / rel, since)

    return make(_nothing, spec, out, lambda: restore(out, planned_at()), parts)[0]


def _make_part(main: Callable[[Job], None], out: Path, since: float) -> None:
    """Make a part, unless it has been published since then (seconds since the epoch).

    Raises: JobError or Preempted if it could not be made.
    """
    work = work_folder(out.parent.parent, out.name.rsplit("-", 1)[1])
    spec = read_spec(work / "spec.json", out)
    made = []

    def note(job: Job) -> None:
        made.append(job.name)
        main(job)

    status, message = make(note, spec, out, lambda: _is_there(out, since))
    part = f"{spec['stage']} {spec['name']}"
    if status == preemption.RETRY:
        raise preemption.Preempted(message)
    if status:
        raise JobError(f"its part {part} failed; {work / 'log.txt'} says why")
    log.info("%s %s", part, "is made" if made else "was there already")


def _is_there(out: Path, since: float) -> bool:
    return is_published(out) and (out / MANIFEST).stat().st_mtime >= since


def _nothing(job: Job) -> None:
    """A receipt holds nothing of its own."""
