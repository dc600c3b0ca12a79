"""Files of a person's own, which a config names as they lie beside it: rows, and functions that reward."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from moa.datasets.settings import AnyData
from moa.oracles.settings import AnyOracle
from moa.runtime.own_files import BESIDE, own_file

ELSEWHERE = ("~", "$")  # what begins so is a place of its own, as what begins with a slash is


def _named_so(union: Any) -> set[str]:
    """The keys of a section's kinds that name such a file."""
    kinds: tuple[type[BaseModel], ...] = get_args(get_args(union)[0])
    fields = [item for kind in kinds for item in kind.model_fields.items()]
    return {name for name, field in fields if BESIDE in field.metadata}


DATA_KEYS, SCORER_KEYS = _named_so(AnyData), _named_so(AnyOracle)


def located(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a config file says, with the whole path of every such file. folder: where the config lies.

    Before configs are put on top of each other, since each may lie elsewhere.
    """
    found = copy.deepcopy(raw)
    for entry, keys in _entries(found):
        for key in keys & entry.keys():
            value = entry[key]
            file = own_file(value) if isinstance(value, str) else None
            if file is not None and not file.startswith(ELSEWHERE):
                entry[key] = os.path.abspath(folder / file) + value[len(file) :]
    return found


def _entries(raw: dict[str, Any]) -> Iterator[tuple[dict[str, Any], set[str]]]:
    """The entries that may name such files, in whatever state a config is, with the keys that do."""
    for task in _mappings(raw.get("tasks")):
        if isinstance(task.get("data"), dict):
            yield task["data"], DATA_KEYS
        for role in ("oracles", "judges"):
            for entry in _mappings(task.get(role)):
                yield entry, SCORER_KEYS


def _mappings(value: Any) -> list[dict[str, Any]]:
    items = value.values() if isinstance(value, dict) else ()
    return [item for item in items if isinstance(item, dict)]
