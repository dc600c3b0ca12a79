"""w merges single-reward experts: Rewarded Soups, and at a unit vector one RLHF expert alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

from moa.models.lora import add_in_place
from moa.models.merging import State, merge
from moa.models.policies import ADAPTER, load_adapter, load_policy
from moa.models.settings import GenerationStage
from moa.preferences import build_prompt, uniform


class MergedExperts:
    """A model per w, made in place; the prompt says the same for every w, as the experts saw it."""

    one_model = False

    def __init__(
        self,
        model: Any,
        experts: Sequence[State],
        how: str,
        objectives: Sequence[str],
        decimals: int,
    ) -> None:
        self.model, self.experts, self.how = model, experts, how
        self.objectives, self.decimals = objectives, decimals

    def at(self, w: Sequence[float]) -> Any:
        set_peft_model_state_dict(self.model, merge(self.experts, w, self.how))
        return self.model

    def prompt(self, x: str, w: Sequence[float]) -> str:
        return build_prompt(x, self.objectives, uniform(len(self.objectives)), self.decimals)


def load(
    inputs: Mapping[str, Path],
    objectives: Sequence[str],
    settings: GenerationStage,
    how: str | None = None,
) -> MergedExperts:
    """inputs: base, sft, expert/<objective> for every objective. how: as `merge` takes it.

    Raises: ValueError without a `how`.
    """
    if how is None:
        raise ValueError("merged experts need to know how: exact or factors")
    experts = [inputs[f"expert/{objective}"] for objective in objectives]
    model = load_policy(inputs["base"], [inputs["sft"]], settings.dtype)
    wide = LoraConfig.from_pretrained(experts[0] / ADAPTER)
    wide.r, wide.lora_alpha = wide.r * len(experts), wide.lora_alpha * len(experts)
    wide.lora_dropout, wide.inference_mode = 0.0, True
    device = next(model.parameters()).device
    policy = get_peft_model(model, wide).eval()
    add_in_place(policy)
    return MergedExperts(
        policy,
        [load_adapter(expert, str(device)) for expert in experts],
        how,
        objectives,
        settings.decimals,
    )
