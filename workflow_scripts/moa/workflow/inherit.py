"""Configs on top of others: what a file does not say is taken from the one that it extends."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from moa.runtime.errors import ConfigError


def read_config(path: Path, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a file says, with what it extends. given: keys that take the place of the file's.

    Raises: ConfigError, OSError.
    """
    return inherit({**_load(path), **(given or {})}, path.parent)


def _load(path: Path) -> dict[str, Any]:
    """A file's mapping. Raises: ConfigError that names the file if it holds something else."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise ConfigError(f"{path} cannot be read as YAML ({why}): repair it") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path} is no mapping of keys, such as `name: mine`, so no config")
    return found


def inherit(raw: Any, folder: Path) -> dict[str, Any]:
    """A config on top of those it extends, which lie in `folder`, or where their own `extends` leads.

    Raises: ConfigError if there is no such file, or if configs extend each other.
    """
    if not isinstance(raw, dict):
        raise ConfigError("config: it must be a mapping of keys, such as `name: mine`")
    seen: list[Path] = []
    merged, base = raw, raw.get("extends")
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
        below = _load(path)
        merged, base, folder = merge(below, merged), below.get("extends"), path.parent
    if seen and "name" not in raw:
        raise ConfigError(
            "config: the key 'name' is missing; what this config makes needs a name of its own"
        )
    if seen and isinstance(merged.get("tasks"), dict):
        tasks = merged["tasks"]
        for name in (raw.get("tasks") or {}) if len(seen) == 1 else ():
            if tasks[name] is None and name not in (below.get("tasks") or {}):
                raise ConfigError(
                    f"tasks.{name} is null, but {path.name} has no such task to leave out"
                )
        merged["tasks"] = {name: task for name, task in tasks.items() if task is not None}
    return {key: value for key, value in merged.items() if key != "extends"}


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
