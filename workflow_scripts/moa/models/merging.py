"""Rewarded Soups: K expert adapters merged into one, by preference weights.

An adapter changes a weight by scaling * B A. Averaging A and B apart is not averaging that change
(cross terms B_j A_k appear), so the exact merge stacks the factors instead:
sum_k w_k B_k A_k = [w_1 B_1, ..., w_K B_K] [A_1; ...; A_K], an adapter of rank K r.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

State = dict[str, torch.Tensor]  # an adapter as PEFT stores it: ...lora_A.weight, ...lora_B.weight


def merge(experts: Sequence[State], weights: Sequence[float], how: str) -> State:
    """The merged adapter, of rank K r for both ways, at the experts' own scaling.

    experts: K adapters of one shape, A (r, in) and B (out, r). weights: K numbers, used as given.
    how: `exact`, or `factors`: B = sum_k w_k B_k and A = sum_k w_k A_k, padded with zeros.
    Raises: ValueError if the experts do not fit together or `how` is unknown.
    """
    if how not in ("exact", "factors"):
        raise ValueError(f"merge is {how!r}: choose exact or factors")
    if len(experts) != len(weights):
        raise ValueError(f"{len(experts)} experts and {len(weights)} weights")
    for name in dict.fromkeys(name for expert in experts for name in expert):
        if len({expert[name].shape if name in expert else None for expert in experts}) > 1:
            raise ValueError(f"the experts differ in {name}: they need the same LoRA settings")
    merged: State = {}
    for name, first in experts[0].items():
        parts = [expert[name] for expert in experts]
        weighted = [w * part for w, part in zip(weights, parts, strict=True)]
        is_a = "lora_A" in name
        if how == "exact":
            blocks = parts if is_a else weighted
        else:
            empty = torch.zeros_like(first)
            blocks = [torch.stack(weighted).sum(dim=0), *[empty] * (len(parts) - 1)]
        merged[name] = torch.cat(blocks, dim=0 if is_a else 1)
    return merged
