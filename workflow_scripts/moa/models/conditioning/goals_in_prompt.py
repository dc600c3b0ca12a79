"""Desired rewards stand in the prompt: Rewards-in-Context."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moa.models.goals import GOALS, build_goal_prompt, preference_to_goal
from moa.models.policies import load_policy
from moa.models.settings import GenerationStage


class GoalsInPrompt:
    """One model; w is mapped to desired rewards within the range that was seen offline."""

    one_model = True

    def __init__(self, model: Any, objectives: Sequence[str], goals: dict[str, Any]) -> None:
        self.model, self.objectives, self.goals = model, objectives, goals

    def at(self, w: Sequence[float]) -> Any:
        return self.model

    def prompt(self, x: str, w: Sequence[float]) -> str:
        wanted = preference_to_goal(w, self.goals["low"], self.goals["high"], self.goals["rule"])
        return build_goal_prompt(x, self.objectives, wanted)


def load(
    inputs: Mapping[str, Path],
    objectives: Sequence[str],
    settings: GenerationStage,
    how: str | None = None,
) -> GoalsInPrompt:
    """inputs: base, sft, policy (RiC's entry, whose goals.json holds the ranges and the rule)."""
    model = load_policy(inputs["base"], [inputs["sft"], inputs["policy"]], settings.dtype)
    goals = json.loads((inputs["policy"] / GOALS).read_text())
    return GoalsInPrompt(model, objectives, goals)
