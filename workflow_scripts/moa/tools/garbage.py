"""What a store holds that no config that counts refers to, and how that is deleted.

Looked at is only what the workflow recognisably made: `<stage>/<name>-<key>/` in the store, `work/<key>/`
beside it, and the hidden names that both get while they are replaced or deleted.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from moa.runtime.attempts import ATTEMPTS
from moa.runtime.locks import LOCK, is_locked
from moa.runtime.publishing import is_published, work_folder
from moa.runtime.yaml_files import read_yaml
from moa.workflow.entries import Entry
from moa.workflow.keys import canonical, canonical_json
from moa.workflow.stages import STAGES

_ENTRY = re.compile(r"[A-Za-z0-9_-]+-([0-9a-f]{12})")
_WORK = re.compile(r"[0-9a-f]{12}")
_HIDDEN = re.compile(r"\.([A-Za-z0-9_-]+-)?[0-9a-f]{12}\.old-[0-9]+")
_COMPARED = ("params", "code", "versions", "inputs", "store_version")
# What is not a result may be in the making, and shows no lock before its job has begun.
GRACE_SECONDS = 86400.0

NOT_INSTALLED = "not installed"  # the version of a library in a plan whose keys cannot be known
PLANNED, RUNNING, NEEDED, YOUNG, UNSURE = (
    "in a config that counts",
    "running",
    "an input of what is kept",
    "unfinished and younger than a day",
    "perhaps of a config whose packages are not installed",
)


@dataclass(frozen=True)
class Folder:
    """kind: entry, unpublished, work or hidden. key: empty if hidden. changed: Unix time.

    links: keys of other entries that symbolic links in it lead into, as adopted ones have where a file
    system has no hard links. kept, garbage: the reason for the one or the other; the other is empty.
    """

    path: Path
    kind: str
    key: str
    spec: Mapping[str, Any]
    size: int
    changed: float
    links: frozenset[str] = frozenset()
    kept: str = ""
    garbage: str = ""

    @property
    def label(self) -> str:
        """<stage>/<name>-<key>; of a work folder, also what it is the work on."""
        label = f"{self.path.parent.name}/{self.path.name}"
        if self.kind == "work" and self.spec:
            label += f" ({self.spec['stage']}/{self.spec['name']})"
        return label


def whole_configs(folder: Path) -> list[Path]:
    """The .yaml files of a folder that say what to run; others, like the schema, are left out.

    One that cannot be parsed counts: to leave it out would make garbage of its entries.
    """
    found = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            raw = read_yaml(path)
        except (yaml.YAMLError, UnicodeDecodeError):
            raw = {"tasks": None}
        if isinstance(raw, dict) and raw.keys() & {"tasks", "runs", "extends"}:
            found.append(path)
    return found


def survey(stores: Mapping[Path, Iterable[Entry]], now: float) -> dict[Path, list[Folder]]:
    """All folders of each store and of the work beside it, each with why it is kept or garbage.

    stores: a store's folder -> all that is planned in it. now: Unix time.

    An entry that depends on a package that is not installed has no key that can be known. What it may be is
    kept: whatever has its stage, parameters and seed.
    """
    planned = {store: list(entries) for store, entries in stores.items()}
    # Stores that lie side by side have their work folders in common.
    anywhere = {a.key for entries in planned.values() for a in entries}
    return {
        store: _judge(_folders(store), entries, anywhere, now) for store, entries in planned.items()
    }


def delete(folder: Folder) -> None:
    """Delete a folder; under its own name it is whole or gone at every moment.

    Raises: BlockingIOError if a job has begun in it since the survey; OSError if it cannot be deleted.
    """
    path = folder.path
    with ExitStack() as stack:
        if folder.kind == "work":
            lock = stack.enter_context(open(path / LOCK, "a"))
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.kind != "hidden":
            path = path.rename(path.with_name(f".{path.name}.old-{os.getpid()}"))
    shutil.rmtree(path)


def _judge(
    folders: list[Folder], planned: list[Entry], anywhere: set[str], now: float
) -> list[Folder]:
    wanted = {a.key for a in planned}
    running = {f.key for f in folders if f.kind == "work" and is_locked(f.path)}
    unsure = {_identity(a.spec) for a in planned if _unsure(a)}
    kept: dict[Path, str] = {}
    for f in folders:
        if f.key in (anywhere if f.kind == "work" else wanted):
            kept[f.path] = PLANNED
        elif f.key in running:
            kept[f.path] = RUNNING
        elif f.spec and _identity(f.spec) in unsure:
            kept[f.path] = UNSURE
        elif _may_be_in_the_making(f) and now - f.changed < GRACE_SECONDS:
            kept[f.path] = YOUNG
    todo = [f for f in folders if kept.get(f.path) in (PLANNED, RUNNING, UNSURE)]
    while todo:
        folder = todo.pop()
        # Those of what is perhaps needed are judged for themselves.
        named = {} if kept[folder.path] == UNSURE else folder.spec.get("inputs", {})
        inputs = {rel.rsplit("-", 1)[1] for rel in named.values()}
        needed = inputs | folder.links
        for f in folders:
            if f.key in needed and f.path not in kept:
                kept[f.path] = NEEDED
                todo.append(f)
    return [
        replace(f, kept=kept[f.path]) if f.path in kept else replace(f, garbage=_reason(f, planned))
        for f in folders
    ]


def _unsure(entry: Entry) -> bool:
    """Whether a package that it depends on, or one of its inputs does, is not installed."""
    return NOT_INSTALLED in entry.spec["versions"].values() or any(
        _unsure(i) for i in entry.inputs.values()
    )


def _identity(spec: Mapping[str, Any]) -> str:
    """What of a spec does not depend on code and libraries, its own and its inputs'."""
    return canonical_json(canonical([spec.get(k) for k in ("stage", "params", "seed")]))


def _may_be_in_the_making(folder: Folder) -> bool:
    if folder.kind == "work":  # its job may wait for its turn
        return not any((folder.path / name).exists() for name in ("out", ATTEMPTS))
    return folder.kind in ("unpublished", "hidden")


def _reason(folder: Folder, planned: list[Entry]) -> str:
    if folder.kind == "hidden":
        return "left over from replacing or deleting"
    if folder.kind == "unpublished":
        return "no manifest, so no result"
    spec = folder.spec
    namesakes = [a for a in planned if (a.stage, a.name) == (spec.get("stage"), spec.get("name"))]
    if not namesakes:
        return "no config that counts has it"
    differences = [[k for k in _COMPARED if a.spec[k] != spec.get(k)] for a in namesakes]
    fewest: list[str] = min(differences, key=len)
    return f"made from other {', '.join(fewest)}"


def _folders(store: Path) -> list[Folder]:
    found = []
    for stage in STAGES:
        for path in _subfolders(store / stage):
            if match := _ENTRY.fullmatch(path.name):
                kind = "entry" if is_published(path) else "unpublished"
                found.append(_folder(path, kind, match[1]))
            elif _HIDDEN.fullmatch(path.name):
                found.append(_folder(path, "hidden", ""))
    for path in _subfolders(work_folder(store, "key").parent):
        if _WORK.fullmatch(path.name) and any((path / n).exists() for n in ("spec.json", "out")):
            found.append(_folder(path, "work", path.name))
        elif _HIDDEN.fullmatch(path.name):
            found.append(_folder(path, "hidden", ""))
    return found


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink())


def _folder(path: Path, kind: str, key: str) -> Folder:
    """Its size in bytes, when anything in it last changed, and its spec.json if it has one."""
    size, changed, spec, links = 0, 0.0, {}, set()
    with suppress(FileNotFoundError):
        spec = json.loads((path / "spec.json").read_text())
    for parent, _, names in os.walk(path):
        for name in (".", *names):
            with suppress(FileNotFoundError):  # a running job removes its older checkpoints
                file = os.path.join(parent, name)
                info = os.lstat(file)
                if stat.S_ISLNK(info.st_mode):
                    links |= {
                        m[1]
                        for part in Path(os.readlink(file)).parts
                        if (m := _ENTRY.fullmatch(part))
                    }
                size += info.st_size if stat.S_ISREG(info.st_mode) else 0
                changed = max(changed, info.st_ctime)  # unlike st_mtime, it tells of a rename
    return Folder(path, kind, key, spec, size, changed, frozenset(links))
