"""A store of dummy entries at the places that a plan gives them, for tests that train nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from moa.runtime.files import write_json
from moa.runtime.publishing import publishing, work_folder
from moa.workflow.config import resolve
from moa.workflow.entries import Entry
from moa.workflow.plan import Plan
from support.paths import TINY


def tiny_config(store: Path, **changes: Any) -> dict[str, Any]:
    """tests/tiny.yaml with another store and other values of some keys."""
    return {**yaml.safe_load(TINY.read_text()), "store": str(store), **changes}


def tiny_plan(store: Path, **changes: Any) -> Plan:
    return Plan(resolve(tiny_config(store, **changes)))


def publish(store: Path, entries: Iterable[Entry], files: Mapping[str, str] | None = None) -> None:
    """Publish an entry for each, in the order given, with these files."""
    for entry in entries:
        with publishing(entry.spec, store / entry.rel) as job:
            for name, text in (files or {"value": "42"}).items():
                (job.out / name).parent.mkdir(parents=True, exist_ok=True)
                (job.out / name).write_text(text)


def begin(store: Path, entry: Entry) -> Path:
    """The work folder of a job that has begun."""
    work = work_folder(store, entry.key)
    (work / "out").mkdir(parents=True)
    write_json(work / "spec.json", entry.spec)
    return work


@contextmanager
def locked(work: Path) -> Iterator[None]:
    """While another process holds a work folder's lock."""
    code = (
        "import fcntl, sys; handle = open(sys.argv[1], 'w'); fcntl.lockf(handle, fcntl.LOCK_EX)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(work / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            process.communicate()
