"""The methods that a run can name: what trains them, and how their policy is told w, if it is one of ours.

One table, and the only place that knows a method by its name: the DAG, what a config may say, labels,
figures and error texts derive from it. Add a method: docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fixed:
    """A setting that a method always has, whatever the config says; and why, for who sets it otherwise."""

    value: Any
    why: str


@dataclass(frozen=True)
class Variant:
    """A run's name that stands for settings of its method, and how it is then called."""

    label: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """name: what a config calls it. label: what figures and tables call it.

    section: its part of the config, which a run's `overrides` change; None: nothing to train.
    stage: the stage that trains it. conditioning: a file of `moa/models/conditioning/`; None: there is no
    policy here, its responses come out of the file that a run's `responses` names.
    loss: of the online stage, a file of `moa/training/online_losses/`.
    conditioned: one policy that is told w; else one per objective, which has points but no front.
    fixed: settings of its section that are its own.
    variants: by run name. compared: its place among those that figures 1b, 2b and 3b compare.
    """

    name: str
    label: str
    section: str | None
    stage: str | None
    conditioning: str | None
    loss: str | None = None
    conditioned: bool = True
    fixed: Mapping[str, Fixed] = field(default_factory=dict)
    variants: Mapping[str, Variant] = field(default_factory=dict)
    compared: int | None = None

    @property
    def has_policy(self) -> bool:
        return self.conditioning is not None


_TABLE = (
    Method("sft", "SFT", None, None, "weights_in_prompt"),
    Method(
        "rlhf",
        "RLHF (single reward)",
        "experts",
        "expert",
        "merged_experts",
        conditioned=False,
        fixed={"merge": Fixed("exact", "asks each expert alone, where both ways are the same")},
    ),
    Method("rewarded_soups", "Rewarded Soups", "experts", "expert", "merged_experts"),
    Method("ric", "RiC", "ric", "ric", "goals_in_prompt"),
    Method(
        "mo_odpo",
        "MO-ODPO",
        "online",
        "online",
        "weights_in_prompt",
        loss="mi_epo",
        fixed={"beta_w": Fixed(0.0, "has no exploration term: use method mi_epo")},
        variants={"mo_odpo_scalarised": Variant("MO-ODPO (scalarised)", {"labels": "scalarised"})},
        compared=0,
    ),
    Method("mi_epo", "MI-EPO", "online", "online", "weights_in_prompt", loss="mi_epo", compared=1),
    Method("external", "External", None, None, None),
)
METHODS: dict[str, Method] = {method.name: method for method in _TABLE}
SWEPT_METHOD, SWEPT = METHODS["mi_epo"], "beta_w"  # what a task's `beta_w_sweep` varies
GIVEN = METHODS["external"]  # what responses out of a file are of
RESERVED = {name: method for method in _TABLE for name in (method.name, *method.variants)}


def run_label(name: str, method: Method, changed: Mapping[str, Any] | None = None) -> str:
    """What figures and tables call a run: its own name, or the label of what that stands for.

    changed: the settings in which it is other than its method's section says; a label that does not
    speak of them lists them.
    """
    variant = method.variants.get(name)
    if name != method.name and variant is None:
        return name
    stands = variant.settings if variant else {}
    others = [f"{key} {value}" for key, value in (changed or {}).items() if key not in stands]
    label = variant.label if variant else method.label
    return f"{label}, {', '.join(others)}" if others else label


def is_start(method: Method) -> bool:
    """Whether it is SFT, where all others start."""
    return method.has_policy and method.stage is None


def compared() -> list[str]:
    """The methods that figures compare, in their order."""
    chosen = [m for m in _TABLE if m.compared is not None]
    return [m.name for m in sorted(chosen, key=lambda m: m.compared or 0)]
