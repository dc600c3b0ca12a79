"""Reward oracles: one file per kind. `kind: some_name` means `moa/oracles/some_name.py`.

A kind offers `load(objective, params, entry) -> Oracle`. One that has to be fitted first offers
`fit(objective, params, out) -> report` too, and `entry` is then the folder it wrote. One that
knows the best possible policy offers `best_points` (see `moa.oracles.synthetic_world`). Literals say
more about a kind: `REQUIRES`, the distributions whose versions enter the key; `HUB`, which parameter
names a hub repository of which type; `PLACED = True`, that `load` takes `placement` too.
"""

from __future__ import annotations

from typing import Any


def module_name(kind: str) -> str:
    """The module that implements a kind; kinds are loaded by name, so adding one changes no key."""
    return f"moa.oracles.{kind}"


def __getattr__(name: str) -> Any:
    if name == "Oracle":  # the interface, without importing numpy where only names are needed
        from moa.oracles.base import Oracle

        return Oracle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
