"""The forward pass of LoRA layers while a policy is trained, with fewer passes over what they give.

PEFT computes W x, B A x, its scaled copy and their sum as four tensors. Here the second product is added
into the first: W x += scaling * B (A x), the same to rounding. On a CPU that saves time, and the holes that
those tensors leave between the activations that are kept. While the policy samples, W holds the sum
W + scaling * B A, one matrix to read for a token where there were three: docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from peft import PeftModel
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


@contextmanager
def folded(model: Any) -> Iterator[None]:
    """The adapter of a policy in training inside its frozen weights, which are themselves again after.

    In float32 alone, and where every layer of the adapter is a plain linear one: a narrower type would
    round small changes of a weight away, and what is sampled would not be what is trained.
    """
    layers = [m for m in model.modules() if isinstance(m, lora.LoraLayer)]
    if not (isinstance(model, PeftModel) and layers and all(map(_foldable, layers))):
        yield
        return
    weights = [layer.base_layer.weight for layer in layers]
    own = [weight.data for weight in weights]
    try:
        with torch.no_grad():
            for layer, weight in zip(layers, weights, strict=True):
                (name,) = layer.active_adapters
                up, down = layer.lora_B[name].weight, layer.lora_A[name].weight
                weight.data = torch.addmm(weight.data, up, down, alpha=layer.scaling[name])
        with model.disable_adapter():
            yield
    finally:
        for weight, values in zip(weights, own, strict=True):
            weight.data = values


def _foldable(layer: Any) -> bool:
    if not layer.lora_variant or layer.disable_adapters or len(layer.active_adapters) != 1:
        return False
    weights = layer.base_layer.weight, layer.lora_A[layer.active_adapters[0]].weight
    return all(weight.dtype == torch.float32 for weight in weights)
