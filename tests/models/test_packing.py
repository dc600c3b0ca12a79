"""What is multiplied while a policy samples: the same to rounding, and nothing of it is left after."""

import pytest
import torch
from peft.tuners import lora

from moa.models.lora import add_in_place
from moa.models.packing import packed
from support.tiny_models import BUILDERS, tiny_llama, with_lora

IDS = torch.arange(1, 25).view(2, 12)


def in_training(model):
    policy = with_lora(model)
    add_in_place(policy)
    return policy


def state_of(model):
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    return weights, [name for name, value in model.named_parameters() if value.requires_grad]


@pytest.mark.parametrize("family", BUILDERS)
@pytest.mark.parametrize("prepare", [lambda model: model, with_lora, in_training])
@torch.no_grad()
def test_a_packed_policy_answers_as_it_does_and_is_whole_again(family, prepare):
    policy = prepare(BUILDERS[family](vocab_size=37)).eval()
    expected, (weights, trained) = policy(input_ids=IDS).logits, state_of(policy)
    with pytest.raises(RuntimeError, match="stopped"), packed(policy):
        torch.testing.assert_close(policy(input_ids=IDS).logits, expected, rtol=1e-4, atol=1e-5)
        raise RuntimeError("stopped")
    after, trained_after = state_of(policy)
    assert trained_after == trained and after.keys() == weights.keys()
    assert all(torch.equal(after[name], value) for name, value in weights.items())
    assert not any("forward" in vars(module) for module in policy.modules())
    assert torch.equal(policy(input_ids=IDS).logits, expected)


@torch.no_grad()
def test_an_adapter_in_training_is_one_product_with_its_matrix():
    policy = in_training(tiny_llama(vocab_size=37)).eval()
    asked = []
    for module in policy.modules():
        if isinstance(module, lora.Linear):
            module.base_layer.register_forward_pre_hook(lambda *_: asked.append("base"))
            module.lora_A["default"].register_forward_pre_hook(lambda *_: asked.append("A"))
    with packed(policy):
        policy(input_ids=IDS)
    assert not asked
    policy(input_ids=IDS)
    assert set(asked) == {"base", "A"}


@torch.no_grad()
def test_what_is_switched_off_stays_off():
    policy = in_training(tiny_llama(vocab_size=37)).eval()
    with policy.disable_adapter():
        expected = policy(input_ids=IDS).logits
        with packed(policy):
            torch.testing.assert_close(policy(input_ids=IDS).logits, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_narrow_type_would_round_the_adapter_away_and_stays_as_it_is():
    policy = in_training(tiny_llama(vocab_size=37).bfloat16()).eval()
    expected = policy(input_ids=IDS).logits
    with packed(policy):
        assert torch.equal(policy(input_ids=IDS).logits, expected)


def test_what_is_learned_is_in_the_next_sample():
    policy = in_training(tiny_llama(vocab_size=37)).eval()
    with torch.no_grad(), packed(policy):
        before = policy(input_ids=IDS).logits
    policy(input_ids=IDS).logits.logsumexp(-1).pow(2).sum().backward()
    with torch.no_grad():
        for value in policy.parameters():
            if value.requires_grad:
                value -= 0.1 * value.grad
        expected = policy(input_ids=IDS).logits
        with packed(policy):
            after = policy(input_ids=IDS).logits
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(after, before, atol=1e-3)
