"""What the layers of a policy multiply by while it samples: few rows, and every matrix for every token.

An adapter in training is added to its frozen matrix meanwhile, W + scaling * B A: one to read where there
were three. On a CPU the matrices are packed as oneDNN reads them, at about twice the rate at which PyTorch
reads them otherwise when rows are few: docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

ROWS = 16  # for which oneDNN chooses how it packs; any number can be multiplied
Product = Callable[[torch.Tensor], torch.Tensor]


@contextmanager
def packed(model: Any) -> Iterator[None]:
    """While the layers of a float32 model multiply so; it must not learn meanwhile.

    In float32 alone, and adapters only where all their layers are plain linear ones: a narrower type would
    round small changes of a weight away, and what is sampled would not be what is trained.
    """
    adapted = [module for module in model.modules() if isinstance(module, LoraLayer)]
    inside = adapted if all(map(_can_be_added, adapted)) else []
    apart = {id(part) for layer in inside for part in layer.modules()}
    linear = [m for m in model.modules() if id(m) not in apart and _can_be_packed(m)]
    try:
        for layer in inside:
            layer.forward = _product(_sum(layer), layer.base_layer.bias)
        for layer in linear:
            layer.forward = _product(layer.weight, layer.bias)
        yield
    finally:
        for layer in (*inside, *linear):
            vars(layer).pop("forward", None)


def _can_be_added(layer: Any) -> bool:
    if not layer.lora_variant or layer.disable_adapters or len(layer.active_adapters) != 1:
        return False
    weights = layer.base_layer.weight, layer.lora_A[layer.active_adapters[0]].weight
    return "forward" not in vars(layer) and all(w.dtype == torch.float32 for w in weights)


def _can_be_packed(module: Any) -> bool:
    if type(module) is not torch.nn.Linear or "forward" in vars(module):
        return False
    return module.weight.dtype == torch.float32 and _has_packing(module.weight)


def _has_packing(weight: torch.Tensor) -> bool:
    return weight.device.type == "cpu" and torch.backends.mkldnn.is_available()


@torch.no_grad()
def _sum(layer: Any) -> torch.Tensor:
    (name,) = layer.active_adapters
    up, down = layer.lora_B[name].weight, layer.lora_A[name].weight
    return torch.addmm(layer.base_layer.weight, up, down, alpha=layer.scaling[name])


@torch.no_grad()
def _product(weight: torch.Tensor, bias: torch.Tensor | None) -> Product:
    """x (..., in) -> x W^T + b (..., out), without gradients."""
    if not _has_packing(weight):
        return lambda x: torch.nn.functional.linear(x, weight, bias)
    laid_out = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, laid_out, bias, "none", [], "")
