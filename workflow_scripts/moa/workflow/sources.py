"""What a config takes from outside: each entry gets what tells its content.

For the hub that is the commit it is locked to, for a local path a fingerprint. A kind says what it takes
with a literal `HUB = {"<its key>": "model" | "dataset"}` and has a key `revision`. Used when the workflow
is parsed; nothing of the hub is imported or asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from moa.datasets import module_name as dataset_module
from moa.oracles import module_name as oracle_module
from moa.runtime.errors import ConfigError
from moa.runtime.hub_lock import LOCK, Lock, LockError, Repository, commit_of, is_local, read_lock
from moa.runtime.settings import Settings
from moa.training.bases import module_name as base_module
from moa.workflow.config import Task
from moa.workflow.fingerprints import fingerprint
from moa.workflow.keys import canonical, constant


def pinned(module: str, settings: Settings) -> dict[str, Any]:
    """The parameters of a kind, with the `commit` (None if not locked yet) or, if they name a local path,
    the `content` (None if nothing is there yet) of what it takes from outside.

    module: the kind's. Raises: ConfigError if the lock cannot be read.
    """
    params = canonical(settings.model_dump(mode="json"))
    for source in _sources(module, settings):
        if _on_hub(source):
            try:
                params["commit"] = commit_of(_lock(_changed(LOCK)), source)
            except LockError as error:
                raise ConfigError(str(error)) from None
        else:
            params["content"] = fingerprint(Path(source.id))
    return params


@cache
def _lock(changed: int) -> Lock:
    return read_lock(LOCK)


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@dataclass(frozen=True)
class Pins:
    """What a task takes from outside, as specs hold it. oracles: by objective, in their order."""

    data: dict[str, Any]
    base: dict[str, Any]
    oracles: dict[str, dict[str, Any]]


def pin(task: Task) -> Pins:
    """The pinned parameters of a task's data, base and oracles: its files are looked at once per plan."""
    return Pins(
        pinned(dataset_module(task.data.kind), task.data),
        pinned(base_module(task.policy.base.kind), task.policy.base),
        {name: pinned(oracle_module(o.kind), o) for name, o in task.oracles.items()},
    )


def repositories(task: Task) -> set[Repository]:
    """What a task takes from the hub."""
    entries: list[tuple[str, Any]] = [
        (dataset_module(task.data.kind), task.data),
        (base_module(task.policy.base.kind), task.policy.base),
        *((oracle_module(oracle.kind), oracle) for oracle in task.oracles.values()),
    ]
    return {s for module, entry in entries for s in _sources(module, entry) if _on_hub(s)}


def _on_hub(source: Repository) -> bool:
    return not is_local(source.id, source.type)


def _sources(module: str, settings: Any) -> Iterator[Repository]:
    """What a kind's entry takes from outside, `id` a hub id or a local path."""
    for key, repo_type in constant(module, "HUB", {}).items():
        yield Repository(repo_type, getattr(settings, key), settings.revision)
