"""Datasets: one file per kind. `kind: some_name` in a config means `moa/datasets/some_name.py`.

A kind offers `load(params, dropped) -> datasets.Dataset` with at least the columns `prompt` (raw x:
text only, no dangling speaker mark), `chosen` and `rejected` (None where a source has one response
only), and counts what it drops by reason. Kinds are loaded by name, so that adding one changes
no key of another.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_LOADERS = {"load_hh_rlhf": "hh_rlhf", "load_pku_saferlhf": "pku_saferlhf"}


def module_name(kind: str) -> str:
    """The module that implements a kind."""
    return f"moa.datasets.{kind}"


def __getattr__(name: str) -> Any:
    if name in _LOADERS:
        return getattr(import_module(module_name(_LOADERS[name])), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
