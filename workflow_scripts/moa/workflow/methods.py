"""The methods that a run can name: what trains them, and how their policy is told w.

Add a method: add a line here (and its label and colour in `labels.py` and `plots/style.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """section: its part of the config, which a run's `overrides` change; None: nothing to train.

    stage: the stage of the store that trains it. conditioning: a file of `moa/models/conditioning/`.
    """

    section: str | None
    stage: str | None
    conditioning: str


METHODS = {
    "sft": Method(None, None, "weights_in_prompt"),
    "rlhf": Method("experts", "expert", "merged_experts"),
    "rewarded_soups": Method("experts", "expert", "merged_experts"),
    "ric": Method("ric", "ric", "goals_in_prompt"),
    "mo_odpo": Method("online", "online", "weights_in_prompt"),
    "mi_epo": Method("online", "online", "weights_in_prompt"),
}
