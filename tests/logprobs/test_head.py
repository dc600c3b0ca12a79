"""Log-probabilities from hidden states in blocks: the values and gradients of whole logits."""

from __future__ import annotations

import pytest
import torch
from transformers import CohereConfig, Gemma2Config, GraniteConfig

from moa.logprobs import head, tree_logprobs
from support.slow_passes import CLOSE, assert_same_gradients, gradients, loop_over_tree
from support.tiny_models import BUILDERS, SHAPE, VOCAB, made_from, random_ids, with_lora


def tree(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        random_ids([6, 3], generator),
        [random_ids([2, 4], generator) for _ in range(2)],
        [random_ids([7, 2], generator) for _ in range(2)],
    )


@pytest.mark.parametrize("tokens", [1, 3, 1000])
@pytest.mark.parametrize("family", BUILDERS)
def test_any_budget_gives_the_same(family, tokens, monkeypatch):
    monkeypatch.setattr(head, "BUDGET", 4 * VOCAB * tokens)
    base = BUILDERS[family]()
    base.requires_grad_(False)
    model = with_lora(base)
    expected = loop_over_tree(model, *tree())
    got = tree_logprobs(model, *tree())
    torch.testing.assert_close(got, expected, **CLOSE)
    assert_same_gradients(trained(model, got), trained(model, expected))


def trained(model, values):
    return {name: g for name, g in gradients(model, values).items() if "lora" in name}


def test_no_block_is_larger_than_the_budget(monkeypatch):
    monkeypatch.setattr(head, "BUDGET", 4 * VOCAB * 5)
    base = BUILDERS["llama"]()
    base.requires_grad_(False)
    model = with_lora(base)
    made, linear = [], torch.nn.functional.linear

    def spy(hidden, weight, bias=None):
        if len(weight) == VOCAB:
            made.append(hidden.numel() // hidden.shape[-1])
        return linear(hidden, weight, bias)

    monkeypatch.setattr(torch.nn.functional, "linear", spy)
    tree_logprobs(model, *tree(seed=1))
    made.clear()  # the first call has tried the model, too
    tree_logprobs(model, *tree()).sum().backward()
    assert sum(made) == 2 * 2 * 9 and max(made) <= 5  # conditions x tokens of all responses, once


@pytest.mark.parametrize(
    "config",
    [
        Gemma2Config(**SHAPE, head_dim=8, final_logit_softcapping=5.0),
        CohereConfig(**SHAPE, logit_scale=0.3),
        GraniteConfig(**SHAPE, logits_scaling=3.0),
    ],
    ids=["capped", "scaled up", "scaled down"],
)
def test_logits_that_a_model_changes_are_taken_whole(config):
    model = made_from(config)
    expected = loop_over_tree(model, *tree())
    got = tree_logprobs(model, *tree())
    torch.testing.assert_close(got, expected, **CLOSE)
    assert_same_gradients(gradients(model, got), gradients(model, expected))


def test_the_head_is_as_it_was_afterwards():
    model = BUILDERS["llama"]()
    model.requires_grad_(False)
    ids = torch.arange(5)[None]
    before = model(ids).logits
    tree_logprobs(model, *tree())
    assert torch.equal(model(ids).logits, before)
