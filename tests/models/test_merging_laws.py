"""Laws of merging adapters, over random factors."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moa.models.merging import merge

LAYERS = ("q_proj", "down_proj")


def experts(seed: int, count: int, rank: int, wide: int, high: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    return [
        {
            f"{layer}.lora_{part}.weight": torch.randn(shape, generator=generator)
            for layer in LAYERS
            for part, shape in (("A", (rank, wide)), ("B", (high, rank)))
        }
        for _ in range(count)
    ]


def change(state: dict, layer: str) -> torch.Tensor:
    """B A, the change of a weight."""
    return state[f"{layer}.lora_B.weight"] @ state[f"{layer}.lora_A.weight"]


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.data(), *[st.integers(1, 4)] * 2, *[st.integers(1, 6)] * 2)
def test_the_exact_merge_is_the_weighted_sum_of_changes(seed, data, count, rank, wide, high):
    given_ = experts(seed, count, rank, wide, high)
    weights = data.draw(st.lists(st.floats(-2, 2, width=32), min_size=count, max_size=count))
    for how in ("exact", "factors"):
        merged = merge(given_, weights, how)
        for layer in LAYERS:
            assert merged[f"{layer}.lora_A.weight"].shape == (count * rank, wide)
            assert merged[f"{layer}.lora_B.weight"].shape == (high, count * rank)
            if how == "exact":
                wanted = sum(w * change(e, layer) for w, e in zip(weights, given_, strict=True))
            else:
                mean = {
                    name: sum(w * e[name] for w, e in zip(weights, given_, strict=True))
                    for name in given_[0]
                }
                wanted = change(mean, layer)
            torch.testing.assert_close(change(merged, layer), wanted, rtol=1e-4, atol=1e-4)


@settings(max_examples=25)
@given(st.integers(2, 4), st.data())
def test_experts_of_other_layers_are_refused_whichever_has_more(count, data):
    odd = data.draw(st.integers(0, count - 1))
    given_ = experts(0, count, 2, 3, 4)
    name = data.draw(st.sampled_from(sorted(given_[odd])))
    del given_[odd][name]
    with pytest.raises(ValueError, match=f"the experts differ in {name}"):
        merge(given_, [1.0] * count, "exact")
