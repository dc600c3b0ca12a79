"""Merging experts: the exact merge is the sum of weight changes, and a corner is one expert."""

from __future__ import annotations

import itertools

import pytest
import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict

from moa.models.conditioning import merged_experts
from moa.models.merging import merge
from moa.models.policies import save_adapter
from moa.models.settings import GenerationStage
from support.tiny_models import random_ids, tiny_llama, with_lora

WEIGHTS = [0.3, 0.7]


@pytest.fixture(scope="module")
def experts():
    """Three adapters of one model: equal A, as one LoRA seed gives, and different B."""
    found = []
    for seed in range(3):
        model = with_lora(tiny_llama(), seed)
        state = {k: v.clone() for k, v in get_peft_model_state_dict(model).items()}
        found.append(state if not found else {**state, **_only(found[0], "lora_A")})
    for expert in found:
        for name in expert:
            if "lora_A" in name:  # training moves A too
                expert[name] = expert[name] + 0.05 * torch.randn_like(expert[name])
    return found


def _only(state, part):
    return {name: tensor for name, tensor in state.items() if part in name}


def change(state, name):
    """B A of one layer, without the scaling."""
    return state[name.replace("lora_A", "lora_B")] @ state[name]


@pytest.mark.parametrize("weights", [[0.3, 0.7], [0.2, 0.2, 0.6], [1.0, 0.0]])
def test_the_exact_merge_is_the_weighted_sum_of_weight_changes(experts, weights):
    used = experts[: len(weights)]
    merged = merge(used, weights, "exact")
    for name in _only(merged, "lora_A"):
        wanted = sum(w * change(e, name) for w, e in zip(weights, used, strict=True))
        torch.testing.assert_close(change(merged, name), wanted, rtol=1e-5, atol=1e-6)
        assert wanted.abs().max() > 0.01


def test_averaging_factors_is_something_else_but_agrees_at_corners(experts):
    pair = experts[:2]
    exact, factors = (merge(pair, WEIGHTS, how) for how in ("exact", "factors"))
    name = next(iter(_only(exact, "lora_A")))
    average = {key: 0.3 * pair[0][key] + 0.7 * pair[1][key] for key in pair[0]}
    torch.testing.assert_close(change(factors, name), change(average, name))
    assert (change(factors, name) - change(exact, name)).abs().max() > 1e-2
    corner = merge(pair, [0.0, 1.0], "factors")
    torch.testing.assert_close(change(corner, name), change(pair[1], name))


def test_experts_that_do_not_fit_are_refused(experts):
    narrow = {name: tensor[:2] for name, tensor in experts[1].items()}
    with pytest.raises(ValueError, match=r"the experts differ in .*lora"):
        merge([experts[0], narrow], WEIGHTS, "exact")
    fewer = dict(list(experts[0].items())[2:])
    for pair in ([experts[0], fewer], [fewer, experts[0]]):
        with pytest.raises(ValueError, match=r"the experts differ in .*lora"):
            merge(pair, WEIGHTS, "exact")
    with pytest.raises(ValueError, match="2 experts and 1 weights"):
        merge(experts[:2], [1.0], "exact")
    with pytest.raises(ValueError, match="choose exact or factors"):
        merge(experts[:2], WEIGHTS, "linear")


@pytest.fixture
def soup(experts, tmp_path, monkeypatch):
    """MergedExperts of the first two, loaded from entry folders, over a base that is given."""
    inputs = {"base": tmp_path, "sft": tmp_path}
    for objective, state in zip(("helpfulness", "harmlessness"), experts, strict=False):
        model = with_lora(tiny_llama())
        set_peft_model_state_dict(model, state)
        save_adapter(model, tmp_path / objective)
        inputs[f"expert/{objective}"] = tmp_path / objective
    monkeypatch.setattr(merged_experts, "load_policy", lambda *_: tiny_llama())
    asked = GenerationStage(temperature=1.0, top_p=1.0, batch_size=8)
    return merged_experts.load(inputs, ["helpfulness", "harmlessness"], asked, "exact")


def logits(model):
    (ids,) = random_ids([12], torch.Generator().manual_seed(0))
    with torch.no_grad():
        return model(input_ids=ids[None]).logits


def test_weight_one_on_an_expert_reproduces_its_logits(soup, experts):
    for k, w in enumerate(([1.0, 0.0], [0.0, 1.0])):
        alone = with_lora(tiny_llama())
        set_peft_model_state_dict(alone, experts[k])
        torch.testing.assert_close(logits(soup.at(w)), logits(alone.eval()), rtol=1e-4, atol=1e-4)


def test_the_soups_logits_are_those_of_merged_full_weights(soup, experts):
    plain = tiny_llama()
    before = logits(plain)
    scaling = 8 / 4
    for name, parameter in plain.named_parameters():
        layer = f"base_model.model.{name.removesuffix('.weight')}.lora_A.weight"
        if layer in experts[0]:
            delta = sum(w * change(e, layer) for w, e in zip(WEIGHTS, experts, strict=False))
            parameter.data += scaling * delta
    merged = logits(soup.at(WEIGHTS))
    torch.testing.assert_close(merged, logits(plain), rtol=1e-4, atol=1e-4)
    assert (merged - before).abs().max() > 0.1


def test_a_soup_does_not_remember_the_vector_before(soup):
    grid = [[0.0, 1.0], [0.3, 0.7], [1.0, 0.0]]
    first = {tuple(w): logits(soup.at(w)) for w in grid}
    for order in itertools.permutations(grid):
        for w in order:
            assert torch.equal(logits(soup.at(w)), first[tuple(w)])


def test_the_prompt_says_nothing_about_w(soup):
    assert soup.prompt("hi", [0.0, 1.0]) == soup.prompt("hi", [1.0, 0.0])
    assert (
        soup.prompt("hi", [0.0, 1.0]) == "Human: hi helpfulness 0.50 harmlessness 0.50 Assistant:"
    )
