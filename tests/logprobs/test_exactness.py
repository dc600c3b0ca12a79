"""Architectures that a tree of shared prefixes would read wrongly."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    BloomConfig,
    Gemma2Config,
    Gemma3TextConfig,
    Lfm2Config,
    MambaConfig,
    Qwen2Config,
)

from moa.logprobs import tree_logprobs
from moa.logprobs.exactness import tree_is_exact
from moa.logprobs.layout import Layout
from support.slow_passes import CLOSE, assert_same_gradients, gradients, loop_over_tree
from support.tiny_models import (
    BUILDERS,
    SHAPE,
    SPECIAL,
    VOCAB,
    WIDTH,
    WINDOWED,
    made_from,
    random_ids,
    tiny_mistral,
)

OTHERS = {
    "gemma2": lambda: Gemma2Config(**SHAPE, head_dim=8, sliding_window=8),
    "gemma3": lambda: Gemma3TextConfig(**SHAPE, head_dim=8, sliding_window=8),
    "qwen2": lambda: Qwen2Config(
        **SHAPE, use_sliding_window=True, sliding_window=8, max_window_layers=1
    ),
    "lfm2": lambda: Lfm2Config(**SHAPE, layer_types=["conv", "full_attention"]),
    "mamba": lambda: MambaConfig(
        vocab_size=VOCAB, hidden_size=WIDTH, num_hidden_layers=2, state_size=8, **SPECIAL
    ),
    "bloom": lambda: BloomConfig(
        vocab_size=VOCAB, hidden_size=WIDTH, n_layer=2, n_head=4, initializer_range=0.3, **SPECIAL
    ),
}


@pytest.mark.parametrize("family", [*WINDOWED, *OTHERS])
def test_where_a_shared_prefix_would_not_be_exact_rows_are_taken(family, caplog):
    """Windows shorter than the row, convolutions, state spaces, ALiBi: as the model's own forward."""
    model = made_from(OTHERS[family]()) if family in OTHERS else WINDOWED[family]()
    generator = torch.Generator().manual_seed(14)
    tree = (
        random_ids([20, 12], generator),
        [random_ids([3, 2], generator) for _ in range(2)],
        [random_ids([9, 4], generator) for _ in range(2)],
    )
    expected = loop_over_tree(model, *tree)
    with caplog.at_level("INFO", logger="moa"):
        got = [tree_logprobs(model, *tree) for _ in range(2)][1]
    torch.testing.assert_close(got, expected, **CLOSE)
    assert_same_gradients(gradients(model, got), gradients(model, expected))
    assert caplog.text.count("row by row") == 1, "said, and only once"


def test_a_window_that_is_long_enough_costs_nothing():
    model = tiny_mistral()
    short = ([torch.tensor([5, 6])], [[torch.tensor([7])] * 2], [[torch.tensor([8, 9])] * 2])
    layout = Layout(len_p=2, n_c=2, len_c=1, n_r=2, len_r=2)
    torch.testing.assert_close(tree_logprobs(model, *short), loop_over_tree(model, *short), **CLOSE)
    assert tree_is_exact(model, layout)
    assert all(tree_is_exact(build(), layout) for build in BUILDERS.values())
