"""w stands in the prompt: SFT, MO-ODPO and MI-EPO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moa.models.policies import load_policy
from moa.models.settings import GenerationStage
from moa.preferences import build_prompt


class WeightsInPrompt:
    """One model; the prompt is G(x, w)."""

    one_model = True

    def __init__(self, model: Any, objectives: Sequence[str], decimals: int) -> None:
        self.model, self.objectives, self.decimals = model, objectives, decimals

    def at(self, w: Sequence[float]) -> Any:
        return self.model

    def prompt(self, x: str, w: Sequence[float]) -> str:
        return build_prompt(x, self.objectives, w, self.decimals)


def load(
    inputs: Mapping[str, Path],
    objectives: Sequence[str],
    settings: GenerationStage,
    how: str | None = None,
) -> WeightsInPrompt:
    """inputs: base, sft and, unless the SFT policy itself is asked, policy."""
    adapters = [inputs[role] for role in ("sft", "policy") if role in inputs]
    return WeightsInPrompt(
        load_policy(inputs["base"], adapters, settings.dtype),
        objectives,
        settings.decimals,
    )
