"""Pinning: each entry of a config that takes a model or data from outside gets what tells its content.

For the hub that is the commit it is locked to, for a local path a fingerprint. A kind says what it takes
with a literal `HUB = {"<its key>": "model" | "dataset"}` and has a key `revision`. Used when the workflow
is parsed; nothing of the hub is imported or asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moa.datasets import module_name as dataset_module
from moa.oracles import module_name as oracle_module
from moa.runtime.hub_lock import LOCK, Repository, commit_of, is_local, read_lock
from moa.training.bases import module_name as base_module
from moa.workflow.fingerprints import fingerprint
from moa.workflow.keys import constant


def pin(sections: dict[str, Any]) -> None:
    """Give each entry its `commit` (None if not locked yet) or, if it names a local path, its
    `content` (None if nothing is there yet), in place.

    Raises: moa.runtime.hub_lock.LockError.
    """
    sources = list(_sources(sections))
    lock = read_lock(LOCK) if any(_on_hub(source) for source, _ in sources) else {}
    for source, entry in sources:
        if _on_hub(source):
            entry["commit"] = commit_of(lock, source)
        else:
            entry["content"] = fingerprint(Path(source.id))


def repositories(sections: dict[str, Any]) -> set[Repository]:
    """What a task takes from the hub."""
    return {source for source, _ in _sources(sections) if _on_hub(source)}


def _on_hub(source: Repository) -> bool:
    return not is_local(source.id, source.type)


def _sources(sections: dict[str, Any]) -> Iterator[tuple[Repository, dict[str, Any]]]:
    """What a task takes from outside, `id` a hub id or a local path, and the entry that has it."""
    entries = [
        (dataset_module, sections["data"]),
        (base_module, sections["policy"]["base"]),
        *((oracle_module, oracle) for oracle in sections["oracles"].values()),
    ]
    for module_name, entry in entries:
        for key, repo_type in constant(module_name(entry["kind"]), "HUB", {}).items():
            yield Repository(repo_type, entry[key], entry["revision"]), entry
