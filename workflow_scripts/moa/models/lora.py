"""The forward pass of a LoRA layer while it is trained, with fewer passes over what it gives.

PEFT computes W x, B A x, its scaled copy and their sum as four tensors. Here the second product is added
into the first: W x += scaling * B (A x), the same to rounding. On a CPU that saves time, and the holes that
those tensors leave between the activations that are kept: docs/performance.md.
"""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from peft.tuners import lora
from peft.tuners.lora.layer import LoraVariant


class AddedInPlace(LoraVariant):
    """PEFT's hook for another forward pass of a layer's adapter."""

    @staticmethod
    def forward(
        module: Any, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        """x (B, T, in), result (B, T, out), which is W x and is changed -> (B, T, out)."""
        inner = module.lora_A[active_adapter](module.lora_dropout[active_adapter](x))
        up, scaling = module.lora_B[active_adapter], module.scaling[active_adapter]
        mixed = torch.is_autocast_enabled(x.device.type) or inner.dtype != result.dtype
        if mixed or result.dim() != 3:  # not for an operation in place
            return result + up(inner) * scaling
        return result.baddbmm_(inner, up.weight.T.expand(len(inner), -1, -1), alpha=scaling)

    @staticmethod
    def merge_safe(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("load the adapter from its entry, and merge that")

    merge_unsafe = unmerge = merge_safe


def add_in_place(model: Any) -> None:
    """Let all plain LoRA layers of a model compute so."""
    for module in model.modules():
        if type(module) is lora.Linear and type(module.base_layer) is torch.nn.Linear:
            for name in module.lora_A:
                module.lora_variant[name] = AddedInPlace()
