"""Log-probabilities against one unpadded row at a time, on three model families."""

from __future__ import annotations

import pytest
import torch

from moa.logprobs import sequence_logprobs, tree_logprobs
from support.slow_passes import (
    CLOSE,
    assert_same_gradients,
    gradients,
    loop_over_tree,
    one_row,
)
from support.tiny_models import BUILDERS, VOCAB, random_ids, tiny_gpt2, tiny_llama, with_lora

FAMILIES = list(BUILDERS)


def make_tree(seed: int, b: int = 3, c: int = 2, r: int = 2):
    """Ragged prefixes (3-12 tokens), conditions (1-5) and responses (1-7)."""
    generator = torch.Generator().manual_seed(seed)

    def lengths(n, low, high):
        return torch.randint(low, high + 1, (n,), generator=generator).tolist()

    prefixes = random_ids(lengths(b, 3, 12), generator)
    conditions = [random_ids(lengths(c, 1, 5), generator) for _ in range(b)]
    responses = [random_ids(lengths(r, 1, 7), generator) for _ in range(b)]
    return prefixes, conditions, responses


def make_rows(seed: int):
    """Ragged (context, completion) pairs; the third completion is empty."""
    generator = torch.Generator().manual_seed(seed)
    contexts = random_ids([4, 9, 6, 1, 12], generator)
    completions = random_ids([5, 2, 0, 7, 1], generator)
    return contexts, completions


def pad_rows(contexts, completions, side: str, pad_id: int = 0):
    """input_ids, attention_mask and completion_mask, each (N, L)."""
    rows = [torch.cat(pair) for pair in zip(contexts, completions, strict=True)]
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id)
    attention = torch.zeros(len(rows), width, dtype=torch.long)
    completion = torch.zeros(len(rows), width, dtype=torch.long)
    for n, row in enumerate(rows):
        start = width - len(row) if side == "left" else 0
        end = start + len(row)
        ids[n, start:end] = row
        attention[n, start:end] = 1
        completion[n, end - len(completions[n]) : end] = 1
    return ids, attention, completion


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", FAMILIES)
def test_sequence_logprobs(family, side):
    model = BUILDERS[family]()
    contexts, completions = make_rows(seed=1)
    expected = torch.stack(
        [one_row(model, *pair) for pair in zip(contexts, completions, strict=True)]
    )
    got = sequence_logprobs(model, *pad_rows(contexts, completions, side))
    assert got.shape == (5,)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, expected, **CLOSE)
    assert got[2].item() == 0.0, "an empty completion has probability one"
    assert_same_gradients(gradients(model, got), gradients(model, expected))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", FAMILIES)
def test_sequence_logprobs_ignore_what_stands_in_the_padding(family, side):
    model = BUILDERS[family]()
    contexts, completions = make_rows(seed=2)
    with torch.no_grad():
        first = sequence_logprobs(model, *pad_rows(contexts, completions, side, pad_id=0))
        other = sequence_logprobs(model, *pad_rows(contexts, completions, side, pad_id=57))
    torch.testing.assert_close(first, other, rtol=0, atol=1e-5)


def test_sequence_logprobs_take_boolean_masks():
    model = tiny_llama()
    ids, attention, completion = pad_rows(*make_rows(seed=3), side="left")
    with torch.no_grad():
        integers = sequence_logprobs(model, ids, attention, completion)
        booleans = sequence_logprobs(model, ids, attention.bool(), completion.bool())
    torch.testing.assert_close(integers, booleans, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 1, 2), (2, 3, 1), (3, 2, 2)])
@pytest.mark.parametrize("family", FAMILIES)
def test_tree_logprobs(family, shape):
    model = BUILDERS[family]()
    b, c, r = shape
    tree = make_tree(seed=4 + c, b=b, c=c, r=r)
    expected = loop_over_tree(model, *tree)
    got = tree_logprobs(model, *tree)
    assert got.shape == shape
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, expected, **CLOSE)
    assert_same_gradients(gradients(model, got), gradients(model, expected))


@pytest.mark.parametrize("family", FAMILIES)
def test_tree_logprobs_with_empty_responses(family):
    model = BUILDERS[family]()
    prefixes, conditions, responses = make_tree(seed=5)
    responses[0][0] = responses[0][0][:0]
    responses[2][0] = responses[2][0][:0]
    responses[2][1] = responses[2][1][:0]
    expected = loop_over_tree(model, prefixes, conditions, responses)
    got = tree_logprobs(model, prefixes, conditions, responses)
    assert torch.equal(got[0, :, 0], torch.zeros(2))
    assert torch.equal(got[2], torch.zeros(2, 2))
    torch.testing.assert_close(got, expected, **CLOSE)
    assert_same_gradients(gradients(model, got), gradients(model, expected))


def test_a_batch_of_only_empty_responses():
    """A collapsed policy must not crash the training step."""
    model = tiny_llama()
    prefixes, conditions, _ = make_tree(seed=6)
    empty = [[torch.empty(0, dtype=torch.long)] * 2 for _ in prefixes]
    tree = tree_logprobs(model, prefixes, conditions, empty)
    assert torch.equal(tree, torch.zeros(3, 2, 2))
    ids, attention, _ = pad_rows(*make_rows(seed=6), side="left")
    rows = sequence_logprobs(model, ids, attention, torch.zeros_like(ids))
    assert torch.equal(rows, torch.zeros(5))
    (tree.sum() + rows.sum()).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert not any(g.any() for g in grads)


@pytest.mark.parametrize("family", FAMILIES)
def test_tree_agrees_with_padded_rows(family):
    model = BUILDERS[family]()
    prefixes, conditions, responses = make_tree(seed=7, b=2)
    contexts, completions = [], []
    for b, prefix in enumerate(prefixes):
        for condition in conditions[b]:
            for response in responses[b]:
                contexts.append(torch.cat([prefix, condition]))
                completions.append(response)
    with torch.no_grad():
        rows = sequence_logprobs(model, *pad_rows(contexts, completions, "left"))
        tree = tree_logprobs(model, prefixes, conditions, responses)
    torch.testing.assert_close(tree.flatten(), rows, **CLOSE)


def assert_only_changed(before: torch.Tensor, after: torch.Tensor, changed: tuple) -> None:
    """Every entry outside `changed` stays, to the last bits; every entry inside moves."""
    inside = torch.zeros_like(before, dtype=torch.bool)
    inside[changed] = True
    difference = (before - after).abs()
    assert difference[~inside].max() < 1e-5
    assert difference[inside].min() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_one_branch_cannot_influence_another(family):
    """Change one token at a time; lengths stay, so that even rounding should agree."""
    model = BUILDERS[family]()
    prefixes, conditions, responses = make_tree(seed=8, b=3, c=3, r=3)

    def other(ids: torch.Tensor, at: int) -> torch.Tensor:
        ids = ids.clone()
        ids[at] = 2 + (ids[at] + 31) % (VOCAB - 2)
        return ids

    with torch.no_grad():
        before = tree_logprobs(model, prefixes, conditions, responses)

        changed = [list(row) for row in responses]
        changed[1][1] = other(responses[1][1], 0)
        after = tree_logprobs(model, prefixes, conditions, changed)
        assert_only_changed(before, after, (1, slice(None), 1))

        changed = [list(row) for row in conditions]
        changed[1][1] = other(conditions[1][1], 0)
        after = tree_logprobs(model, prefixes, changed, responses)
        assert_only_changed(before, after, (1, 1))

        changed = list(prefixes)
        changed[2] = other(prefixes[2], 0)
        after = tree_logprobs(model, changed, conditions, responses)
        assert_only_changed(before, after, (2,))


@pytest.mark.parametrize("family", FAMILIES)
def test_all_continuations_of_a_response_sum_to_its_probability(family):
    model = BUILDERS[family]()
    stem = torch.tensor([10, 11])
    every = [torch.cat([stem, torch.tensor([last])]) for last in range(VOCAB)]
    with torch.no_grad():
        values = tree_logprobs(
            model, [torch.tensor([5, 6, 7])], [[torch.tensor([8, 9])]], [[stem, *every]]
        )[0, 0]
    torch.testing.assert_close(values[1:].logsumexp(0), values[0], **CLOSE)


def test_permuting_branches_permutes_the_values():
    model = tiny_llama()
    prefixes, conditions, responses = make_tree(seed=9, b=2, c=3, r=3)
    order = [2, 0, 1]
    with torch.no_grad():
        before = tree_logprobs(model, prefixes, conditions, responses)
        after = tree_logprobs(
            model,
            prefixes[::-1],
            [[row[i] for i in order] for row in conditions[::-1]],
            [[row[i] for i in order] for row in responses[::-1]],
        )
    torch.testing.assert_close(after, before.flip(0)[:, order][:, :, order], **CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
def test_through_a_lora_adapter(family):
    base = BUILDERS[family]()
    tree = make_tree(seed=10)
    with torch.no_grad():
        plain = loop_over_tree(base, *tree)
    model = with_lora(base)
    expected = loop_over_tree(model, *tree)
    got = tree_logprobs(model, *tree)
    torch.testing.assert_close(got, expected, **CLOSE)
    assert_same_gradients(gradients(model, got), gradients(model, expected))
    assert (got - plain).abs().min() > 1e-3, "the adapter must be on"
    with torch.no_grad(), model.disable_adapter():
        reference = tree_logprobs(model, *tree)
    torch.testing.assert_close(reference, plain, **CLOSE)


def test_sequence_logprobs_through_a_lora_adapter():
    base = tiny_llama()
    contexts, completions = make_rows(seed=11)
    rows = pad_rows(contexts, completions, "left")
    with torch.no_grad():
        plain = sequence_logprobs(base, *rows)
    model = with_lora(base)
    pairs = list(zip(contexts, completions, strict=True))
    expected = torch.stack([one_row(model, *pair) for pair in pairs])
    got = sequence_logprobs(model, *rows)
    torch.testing.assert_close(got, expected, **CLOSE)
    assert_same_gradients(gradients(model, got), gradients(model, expected))
    with torch.no_grad(), model.disable_adapter():
        torch.testing.assert_close(sequence_logprobs(model, *rows), plain, **CLOSE)


def test_the_mode_of_the_model_is_left_alone():
    """Dropout is the caller's choice: a pass must neither switch it off nor on."""
    model = tiny_gpt2(dropout=0.5)
    tree = make_tree(seed=12)
    rows = pad_rows(*make_rows(seed=12), side="left")
    for training in (True, False):
        model.train(training)
        with torch.no_grad():
            trees = [tree_logprobs(model, *tree) for _ in range(2)]
            flat = [sequence_logprobs(model, *rows) for _ in range(2)]
        assert model.training is training
        assert torch.equal(*trees) is not training
        assert torch.equal(*flat) is not training


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("how", ["weights", "autocast"])
def test_bfloat16(family, how):
    """Half precision, as at full scale: it must run, and the sums must stay float32."""
    model = BUILDERS[family]()
    tree = make_tree(seed=13)
    rows = pad_rows(*make_rows(seed=13), side="left")
    with torch.no_grad():
        exact = tree_logprobs(model, *tree), sequence_logprobs(model, *rows)
        if how == "weights":
            model = model.to(torch.bfloat16)
        with torch.autocast("cpu", torch.bfloat16, enabled=how == "autocast"):
            rounded = tree_logprobs(model, *tree), sequence_logprobs(model, *rows)
    for got, want in zip(rounded, exact, strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, want, rtol=0.03, atol=0.3)
