"""What a config takes from outside: each entry gets what tells its content.

For the hub that is the commit it is locked to, for a local path a fingerprint. A kind says what it takes
from the hub with a literal `HUB = {"<its key>": "model" | "dataset"}` and has a key `revision`. Paths need
no declaration: see `_is_path`. Used when the workflow is parsed; nothing of the hub is imported or asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from moa.datasets import module_name as dataset_module
from moa.datasets.settings import TranscriptData
from moa.oracles import module_name as oracle_module
from moa.runtime.errors import ConfigError
from moa.runtime.fingerprints import fingerprint, whole_digest
from moa.runtime.hub_lock import (
    LOCK,
    ROW_FILES,
    WHOLE_FILE,
    Lock,
    LockError,
    Repository,
    RepoType,
    commit_of,
    is_local,
    read_lock,
)
from moa.runtime.own_files import BESIDE, own_file
from moa.runtime.settings import PINNED, KindSettings
from moa.training.bases import module_name as base_module
from moa.workflow.config import Task
from moa.workflow.keys import canonical, constant


def pinned(module: str, settings: KindSettings) -> dict[str, Any]:
    """The parameters of a kind, and what tells the content of what they name outside.

    Of what the kind may take from the hub that is its `commit` (None if not locked yet) or, if a local path
    stands there, its `content` (None if nothing is there yet). `contents` are those of all other paths that
    its parameters name, by place; it is there if there are any.

    module: the kind's. Raises: ConfigError if the lock cannot be read, or if `HUB` cannot be followed.
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
    contents = dict(_contents(module, settings))
    return params | ({"contents": contents} if contents else {})


def _contents(module: str, settings: KindSettings) -> Iterator[tuple[str, str | None]]:
    """What tells the content of every path that a kind's parameters name, at any depth, by its place; but
    for what `HUB` has. Of a file beside the config, all of it counts: people change single lines.
    """
    passed = {"kind", *constant(module, "HUB", {})}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if BESIDE in field.metadata:
            if (file := own_file(value)) and Path(file).is_file():
                yield name, whole_digest(Path(file))
        elif name not in passed and PINNED not in field.metadata:
            for place, path in _inside(name, value):
                yield place, fingerprint(path)


def _inside(place: str, value: Any) -> Iterator[tuple[str, Path]]:
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _inside(f"{place}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _inside(f"{place}[{i}]", item)
    elif _is_path(value):
        yield place, Path(value)


def _is_path(value: Any) -> bool:
    """Whether a parameter is of type Path, or text that looks like a path and names what is there.

    Text looks like one if it has a slash or an ending: any word could be the name of some folder. To be
    wrong costs little, an entry that is made again when that file changes. `/` and `..` are no names.
    """
    if not isinstance(value, str):
        return isinstance(value, Path)
    path = Path(value)
    if path.name in ("", "..") or not ("/" in value or path.suffix):
        return False
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with characters that no path has
        return False


@cache
def _lock(changed: int) -> Lock:
    return read_lock(LOCK)


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@dataclass(frozen=True)
class Pins:
    """What a task takes from outside, as specs hold it. oracles, judges: by objective, in their order."""

    data: dict[str, Any]
    base: dict[str, Any]
    oracles: dict[str, dict[str, Any]]
    judges: dict[str, dict[str, Any]]


def pin(task: Task) -> Pins:
    """The pinned parameters of a task's data, base and oracles: its files are looked at once per plan.

    Raises: ConfigError as `pinned`, or if the data are to be a split of what has none.
    """
    _check_split(task)
    return Pins(
        pinned(dataset_module(task.data.kind), task.data),
        pinned(base_module(task.policy.base.kind), task.policy.base),
        {name: pinned(oracle_module(o.kind), o) for name, o in task.oracles.items()},
        {name: pinned(oracle_module(o.kind), o) for name, o in task.judges.items()},
    )


def _check_split(task: Task) -> None:
    data = task.data
    if not isinstance(data, TranscriptData) or not data.source.endswith(ROW_FILES):
        return
    if data.split != WHOLE_FILE:
        raise ConfigError(
            f"tasks.{task.name}.data.split is {data.split!r}, but {data.source} is a single file and has "
            "no splits; leave split out, or give a folder with a file of that name"
        )


def repositories(task: Task) -> set[Repository]:
    """What a task takes from the hub."""
    entries: list[tuple[str, Any]] = [
        (dataset_module(task.data.kind), task.data),
        (base_module(task.policy.base.kind), task.policy.base),
        *((oracle_module(o.kind), o) for o in (*task.oracles.values(), *task.judges.values())),
    ]
    return {s for module, entry in entries for s in _sources(module, entry) if _on_hub(s)}


def _on_hub(source: Repository) -> bool:
    return not is_local(source.id, source.type)


def _sources(module: str, settings: Any) -> Iterator[Repository]:
    """What a kind's entry takes from the hub or a local path in its place; `id` is either.

    Raises: ConfigError if `HUB` names what cannot be pinned.
    """
    hub: dict[str, RepoType] = constant(module, "HUB", {})
    if len(hub) > 1:
        raise ConfigError(
            f"kind {settings.kind}: HUB in {module} names {', '.join(hub)}, but an entry is pinned to one "
            "commit; name one, and let a kind of its own take the other"
        )
    for key, repo_type in hub.items():
        for needed in (key, "revision"):
            if needed not in type(settings).model_fields:
                raise ConfigError(
                    f"kind {settings.kind}: HUB in {module} names {key!r}, so that a config pins it, but "
                    f"its settings have no key {needed!r}; add one to {type(settings).__name__}"
                )
        if repo_type not in get_args(RepoType):
            raise ConfigError(
                f"kind {settings.kind}: HUB in {module} says that {key!r} is a {repo_type!r}; say one of "
                f"{', '.join(get_args(RepoType))}"
            )
        value = getattr(settings, key)
        if not isinstance(value, str | Path | None):
            raise ConfigError(
                f"kind {settings.kind}: HUB in {module} names {key!r}, which is {value!r}, not one "
                "repository or path; let a kind take one"
            )
        if value is not None:
            yield Repository(repo_type, str(value), settings.revision)
