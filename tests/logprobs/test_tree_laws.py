"""Laws of the tree pass: over trees of any shape it gives what plain passes row by row do."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import MistralConfig

from moa.logprobs import tree_logprobs
from support.slow_passes import CLOSE, loop_over_tree
from support.tiny_models import BUILDERS, SHAPE, made_from, random_ids

MODELS = {family: build() for family, build in BUILDERS.items()}
MODELS["windowed"] = made_from(MistralConfig(**SHAPE, sliding_window=8))


@st.composite
def trees(draw: st.DrawFn):
    """Prefixes and responses may be empty, conditions not."""
    b, c, r = (draw(st.integers(1, 3)) for _ in range(3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))

    def some(n: int, low: int, high: int) -> list[torch.Tensor]:
        return random_ids(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)), generator)

    return some(b, 0, 9), [some(c, 1, 4) for _ in range(b)], [some(r, 0, 5) for _ in range(b)]


@pytest.mark.parametrize("family", MODELS)
@settings(max_examples=30)
@given(trees())
def test_a_tree_is_its_rows(family, tree):
    model = MODELS[family]
    with torch.no_grad():
        got, expected = tree_logprobs(model, *tree), loop_over_tree(model, *tree)
    torch.testing.assert_close(got, expected, **CLOSE)
