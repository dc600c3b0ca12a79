"""Configs on top of others: what a file does not say is taken from the one that it extends."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from moa.runtime.errors import ConfigError
from moa.runtime.yaml_files import RepeatedKey, read_yaml
from moa.workflow.beside import located

SCORERS = ("oracles", "judges")  # sections of a task whose entries may be left out


def read_config(path: Path, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a file says, with what it extends. given: keys that take the place of the file's.

    Raises: ConfigError, OSError.
    """
    return inherit({**_load(path), **(given or {})}, path.parent)


def _load(path: Path) -> dict[str, Any]:
    """A file's mapping. Raises: ConfigError that names the file if it holds something else."""
    try:
        found = read_yaml(path)
    except RepeatedKey:
        raise
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise ConfigError(f"{path} cannot be read as YAML ({why}): repair it") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path} is no mapping of keys, such as `name: mine`, so no config")
    return found


def inherit(raw: Any, folder: Path) -> dict[str, Any]:
    """A config on top of those it extends, which lie in `folder`, or where their own `extends` leads. What
    each names beside it is named by its whole path.

    Raises: ConfigError if there is no such file, or if configs extend each other.
    """
    if not isinstance(raw, dict):
        raise ConfigError("config: it must be a mapping of keys, such as `name: mine`")
    seen: list[Path] = []
    merged, base = located(raw, folder), raw.get("extends")
    while base is not None:
        path = (folder / str(base)).resolve()
        if path in seen:
            raise ConfigError(
                f"extends: {path.name} extends itself, by way of others; end the circle"
            )
        if not path.is_file():
            raise ConfigError(
                f"extends is {base!r}: there is no {path}; name a config beside this file"
            )
        seen.append(path)
        below = located(_load(path), path.parent)
        merged, base, folder = merge(below, merged), below.get("extends"), path.parent
    if seen and "name" not in raw:
        raise ConfigError(
            "config: the key 'name' is missing; what this config makes needs a name of its own"
        )
    if seen:
        scorers = [("tasks", name, role) for name in _at(raw, "tasks") for role in SCORERS]
        places = [("tasks",), *scorers]
        for place in places:
            for name, value in _at(raw, *place).items() if len(seen) == 1 else ():
                if value is None and name not in _at(below, *place):
                    raise ConfigError(
                        f"{'.'.join(place)}.{name} is null, but {path.name} has no such "
                        f"{place[-1].rstrip('s')} to leave out"
                    )
        _leave_out(merged)
    return {key: value for key, value in merged.items() if key != "extends"}


def _at(raw: dict[str, Any], *steps: str) -> dict[str, Any]:
    """The section at a place; empty if there is none."""
    found: Any = raw
    for step in steps:
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _leave_out(merged: dict[str, Any]) -> None:
    """Remove tasks that are null, and oracles and judges that are, one by one or all together."""
    for name, task in list(_at(merged, "tasks").items()):
        if task is None:
            del merged["tasks"][name]
            continue
        for role in SCORERS:
            for objective, scorer in list(_at(merged, "tasks", name, role).items()):
                if scorer is None:
                    del task[role][objective]
            if isinstance(task, dict) and role in task and task[role] is None:
                del task[role]


def typed(value: Any) -> Any:
    """A value of `--config` as a file would have it: Snakemake leaves as text what stands in brackets.

    A text of its own is left as Snakemake read it.
    """
    if isinstance(value, dict):
        return {key: _scalar(item) for key, item in value.items()}
    return [_scalar(item) for item in value] if isinstance(value, list) else value


def _scalar(text: Any) -> Any:
    if not isinstance(text, str):
        return typed(text)
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return found if found is None or isinstance(found, bool | int | float) else text


def merge(base: Any, over: dict[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`, section by section; an entry with another `kind` replaces the whole."""
    merged: dict[str, Any] = copy.deepcopy(base) or {}
    for key, value in over.items():
        old = merged.get(key)
        same = isinstance(old, dict) and isinstance(value, dict) and _kind(old, value)
        merged[key] = merge(old, value) if same else copy.deepcopy(value)
    return merged


def _kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two entries can be merged: the newer names no other kind."""
    return "kind" not in new or new["kind"] == old.get("kind")
