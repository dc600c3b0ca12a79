"""Adopting: a planned entry that is missing takes over a published one that only other code made.

Code and library versions are in every key, so also a change that can alter no result leaves a plan
without its entries. Where a person declares it harmless, each entry is published again under its new
key: its files are linked, not copied, and its manifest says from what, when, by whom and why.

Nothing else may differ: not stage, parameters, seed or store version. The inputs are the same ones,
or were adopted, or are about to be, from the published entry's own: so whole chains are found.
"""

from __future__ import annotations

import errno
import getpass
import json
import os
import shutil
import socket
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from moa.runtime.errors import JobError
from moa.runtime.files import file_digest, timestamp, write_json
from moa.runtime.locks import is_locked, only_one
from moa.runtime.publishing import (
    MANIFEST,
    SEAL,
    is_published,
    put_in_store,
    read_manifest,
    work_folder,
)
from moa.workflow.entries import Entry
from moa.workflow.keys import canonical, canonical_json
from moa.workflow.stages import STAGES

# The others are made again, in seconds, and so they can say what was adopted.
ADOPTABLE = tuple(name for name, stage in STAGES.items() if not stage.remade)
OWN = ("spec.json", MANIFEST, SEAL)  # what an adopted entry does not have in common
CHECKED = 16 * 2**20  # bytes; of larger files only the presence is checked
NOTHING_LIKE, OTHER_INPUTS, NOT_WHOLE, BEING_MADE = (
    "nothing published differs from it only in code and versions",
    "what is published like it was made from other inputs",
    "what is published like it is not whole",
    "its job is running",
)
# No links between file systems, none to others' files, no more to this file, none at all.
REFUSED = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)


@dataclass(frozen=True)
class Published:
    """An entry of the store. rel: <stage>/<name>-<key>."""

    rel: str
    spec: Mapping[str, Any]
    manifest: Mapping[str, Any]

    @property
    def key(self) -> str:
        return key_of(self.rel)

    @cached_property
    def origin(self) -> str:
        """The key under which its content was made: its own, unless it was adopted."""
        key, adopted = self.key, self.manifest.get("adopted")
        while adopted:
            key, adopted = key_of(adopted["from"]), adopted.get("before")
        return key

    @property
    def when(self) -> str:
        """When it came into the store, about: ISO 8601, UTC."""
        return self.manifest.get("adopted", {}).get("when") or self.manifest["started"]


@dataclass(frozen=True)
class Adoption:
    """A planned entry and the published one it can take over.

    difference: versions, library -> [theirs, ours] (None: not there); code, a line per file; inputs,
    role -> [theirs, ours], folders relative to the store.
    """

    entry: Entry
    source: Published
    difference: dict[str, Any]


@dataclass(frozen=True)
class Survey:
    """adoptions: inputs first. left: missing entries that cannot be adopted, by the reason; metrics,
    figures and tables are not among them. faults: what is wrong with published entries."""

    adoptions: list[Adoption]
    left: dict[str, list[Entry]]
    faults: list[str]


def key_of(rel: str) -> str:
    return rel.rsplit("-", 1)[1]


def survey(entries: Iterable[Entry], store: Path) -> Survey:
    """What of a plan's entries (inputs before what is made of them) can be adopted within a store.

    Of several that match: one that others were made from before one that none was, so that a chain
    is not lost to the first link of a newer, broken one; then the newest.
    """
    found = list(_published(store))
    origins = {p.key: p.origin for p in found}
    used = {key_of(rel) for p in found for rel in p.spec["inputs"].values()}
    alike: dict[str, list[Published]] = defaultdict(list)
    for p in sorted(found, key=lambda p: (p.key in used, p.when), reverse=True):
        alike[_identity(p.spec)].append(p)

    seen = Survey([], defaultdict(list), [])
    for entry in entries:
        if entry.stage not in ADOPTABLE or is_published(store / entry.rel):
            continue
        candidates = alike[_identity(entry.spec)]
        ours = _input_origins(entry.spec, origins)
        same = [p for p in candidates if _input_origins(p.spec, origins) == ours]
        if is_locked(work_folder(store, entry.key)):
            seen.left[BEING_MADE].append(entry)
        elif source := _first_whole(same, store, seen.faults):
            seen.adoptions.append(Adoption(entry, source, difference(source, entry.spec)))
            origins[entry.key] = source.origin
        else:
            reason = NOT_WHOLE if same else OTHER_INPUTS if candidates else NOTHING_LIKE
            seen.left[reason].append(entry)
    return seen


def difference(source: Published, ours: Mapping[str, Any]) -> dict[str, Any]:
    """In what a spec differs from a published entry's; see `Adoption`."""
    theirs = source.spec
    moved = {r for r, rel in ours["inputs"].items() if key_of(rel) != key_of(theirs["inputs"][r])}
    kinds = {
        "versions": _changed(theirs["versions"], ours["versions"]),
        "code": [] if theirs["code"] == ours["code"] else _changed_files(source, ours),
        "inputs": {role: [theirs["inputs"][role], ours["inputs"][role]] for role in sorted(moved)},
    }
    return {kind: found for kind, found in kinds.items() if found}


def adopt(adoption: Adoption, store: Path, why: str) -> None:
    """Publish a planned entry with the files of the published one.

    Raises: JobError if another process makes the entry or has just made it.
    """
    entry, source = adoption.entry, adoption.source
    work = work_folder(store, entry.key)
    out, staging = store / entry.rel, work / "out"

    def refuse(owner: str) -> None:
        raise JobError(f"{entry.rel}: {owner} is making it. Adopt again when that has ended")

    with only_one(work, refuse):
        if is_published(out):
            shutil.rmtree(work, ignore_errors=True)
            raise JobError(f"{entry.rel} was made just now. Adopt again, to leave out what uses it")
        shutil.rmtree(staging, ignore_errors=True)
        _link_files(store / source.rel, staging, out)
        write_json(staging / "spec.json", entry.spec)
        digest = file_digest(staging / "spec.json")
        put_in_store(
            staging,
            out,
            {
                **source.manifest,
                "key": entry.key,
                "files": {**source.manifest["files"], "spec.json": digest},
                "adopted": _trace(adoption, why),
            },
        )
        shutil.rmtree(work, ignore_errors=True)


def _trace(adoption: Adoption, why: str) -> dict[str, Any]:
    before = adoption.source.manifest.get("adopted")
    return {
        "from": adoption.source.rel,
        "when": timestamp(),
        "why": why,
        "by": f"{_user()}@{socket.gethostname()}",
        "difference": adoption.difference,
        **({"before": before} if before else {}),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


def _published(store: Path) -> Iterator[Published]:
    for stage in ADOPTABLE:
        for path in sorted((store / stage).glob(f"*-*/{MANIFEST}")):
            folder = path.parent
            if not folder.name.startswith("."):  # else it is being replaced or deleted
                spec = json.loads((folder / "spec.json").read_text())
                yield Published(f"{stage}/{folder.name}", spec, read_manifest(folder))


def _identity(spec: Mapping[str, Any]) -> str:
    """All of a spec that must not differ, but for the inputs."""
    fields = {name: spec[name] for name in ("stage", "params", "seed", "store_version")}
    return canonical_json(canonical({**fields, "roles": sorted(spec["inputs"])}))


def _first_whole(sources: list[Published], store: Path, faults: list[str]) -> Published | None:
    """The first that is what its manifest says; what is wrong with those before it goes to `faults`."""
    for source in sources:
        fault = _fault(store / source.rel, source.manifest)
        if not fault:
            return source
        faults.append(f"{source.rel} {fault}")
    return None


def _input_origins(spec: Mapping[str, Any], origins: Mapping[str, str]) -> dict[str, str]:
    keys = {role: key_of(rel) for role, rel in spec["inputs"].items()}
    return {role: origins.get(key, key) for role, key in keys.items()}


def _fault(folder: Path, manifest: Mapping[str, Any]) -> str:
    """In what a published folder is not what its manifest says; empty if in nothing."""
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            return f"lacks {name}, which its manifest names"
        if path.stat().st_size <= CHECKED and file_digest(path) != digest:
            return f"has another {name} than its manifest says"
    return ""


def _changed(theirs: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, list[str | None]]:
    """name -> [theirs, ours], where they differ."""
    pairs = {name: [theirs.get(name), ours.get(name)] for name in sorted({*theirs, *ours})}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _changed_files(source: Published, ours: Mapping[str, Any]) -> list[str]:
    theirs = source.spec.get("code_files")
    if theirs is None:
        commit = (source.manifest.get("git_commit") or "").removesuffix("-dirty")
        ask = f": git diff {commit} -- workflow_scripts" if commit else ""
        return [f"files of which this older entry has no record{ask}"]
    return [
        f"{file} {'added' if old is None else 'removed' if new is None else 'changed'}"
        for file, (old, new) in _changed(theirs, ours["code_files"]).items()
    ]


def _link_files(source: Path, staging: Path, out: Path) -> None:
    """Give `staging`, which will be `out`, the files of a published entry."""
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        copy = staging / name
        if path.is_symlink():  # relative, and `out` lies as deep in the store
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(os.readlink(path), copy)
        elif path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        elif name.as_posix() not in OWN:
            copy.parent.mkdir(parents=True, exist_ok=True)
            _link(path, copy, os.path.relpath(path, (out / name).parent))


def _link(path: Path, copy: Path, relative: str) -> None:
    """A hard link, so that the file outlives the other entry; where there is none, a symbolic one."""
    try:
        os.link(path, copy)
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        os.symlink(relative, copy)
