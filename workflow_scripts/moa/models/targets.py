"""Which layers LoRA adapts: nothing is left out without a word, nor adapted so that it cannot be merged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners import lora
from transformers.pytorch_utils import Conv1D

from moa.runtime.errors import JobError

HERE = "lora.target_modules"


def adapted(model: Any, config: LoraConfig) -> PeftModel:
    """A model with a new adapter on exactly the linear layers that the config's targets name.

    Raises: JobError if a target names no linear layer, or one that cannot be merged as it was trained: the
    output layer, an embedding, fused experts, or a layer whose weights another module shares.
    """
    _check_names(model, config.target_modules)
    try:
        wrapped = get_peft_model(model, config)
    except (ValueError, re.error) as error:
        raise JobError(
            f"{HERE} is {config.target_modules!r}: PEFT cannot adapt that: {error}. A text is a regular "
            "expression for whole names; list the last parts of names instead, such as [q_proj, v_proj]"
        ) from error
    for name, module in wrapped.named_modules():
        if isinstance(module, lora.LoraLayer):
            target = name.removeprefix("base_model.model.")
            if type(module) is not lora.Linear:
                raise JobError(
                    f"{HERE} reaches {target}, which is no plain linear layer, and its change could not be "
                    "merged: list linear layers alone, such as [q_proj, k_proj, v_proj, o_proj]"
                )
            _check_alone(wrapped.get_base_model(), target)
    return wrapped


def _check_names(model: Any, targets: Any) -> None:
    """Of a list: each part of it names some linear layer."""
    if isinstance(targets, str) or targets is None:
        return
    linear, others = [], {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | Conv1D):
            linear.append(name)
        elif name:
            others[name] = type(module).__name__
    for target in sorted(targets):
        if _named(linear, target):
            continue
        if target == "all-linear":
            raise JobError(f"{HERE}: write all-linear without brackets, for all linear layers")
        if kinds := [kind for name, kind in others.items() if _named([name], target)]:
            raise JobError(
                f"{HERE}: {target!r} is a {kinds[0]} and no linear layer; leave it out under policy.lora"
            )
        leaves = list(dict.fromkeys(name.rsplit(".", 1)[-1] for name in linear))
        near = get_close_matches(target.rsplit(".", 1)[-1], leaves, 1, cutoff=0)
        raise JobError(
            f"{HERE}: the base model has no linear layer {target!r}; the nearest name is {near[0]!r}. "
            "Correct it under policy.lora"
        )


def _named(names: Sequence[str], target: str) -> bool:
    return any(f".{name}".endswith(f".{target}") for name in names)


def _check_alone(base: Any, target: str) -> None:
    """A layer is adapted for itself: it is not the output layer, and shares its weights with no other."""
    head = base.get_output_embeddings()
    module = base.get_submodule(target)
    if module is head:
        shared = base.get_input_embeddings().weight is head.weight
        also = ", and shares its weights with the embedding" if shared else ""
        raise JobError(
            f"{HERE}: {target} is the output layer{also}: the trained policy and the merged one that is "
            "evaluated would differ. Leave it out under policy.lora"
        )
    for name, parameter in base.named_parameters(remove_duplicate=False):
        if parameter is module.weight and name.replace(".base_layer", "") != f"{target}.weight":
            raise JobError(
                f"{HERE}: {target} shares its weights with {name.removesuffix('.weight')}, which "
                "the merged adapter would change as well: leave it out under policy.lora"
            )
