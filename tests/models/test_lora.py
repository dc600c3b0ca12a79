"""LoRA's forward pass in place: PEFT's own, to rounding, in value and gradient."""

import copy

import pytest
import torch
from peft.tuners import lora

from moa.models.lora import add_in_place
from support.tiny_models import BUILDERS, tiny_llama, with_lora

IDS = torch.arange(1, 25).view(2, 12)


def both(model):
    """PEFT's own forward pass, and the one in place, of equal models."""
    own = with_lora(model)
    other = copy.deepcopy(own)
    add_in_place(other)
    return own.train(), other.train()


@pytest.mark.parametrize("family", BUILDERS)
def test_it_is_pefts_forward_and_backward_pass(family):
    own, other = both(BUILDERS[family](vocab_size=37))
    layers = [m for m in other.modules() if isinstance(m, lora.Linear)]
    # GPT-2's layers are no plain linear ones, and stay PEFT's.
    assert all(bool(m.lora_variant) == (family != "gpt2") for m in layers) and layers
    found = []
    for model in (own, other):
        logits = model(input_ids=IDS).logits
        logits.logsumexp(-1).pow(2).sum().backward()
        grads = [p.grad for p in model.parameters() if p.requires_grad]
        found.append([logits.detach(), *grads])
    for expected, got in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_the_adapter_can_still_be_switched_off():
    own, other = both(tiny_llama(vocab_size=37))
    with torch.no_grad(), own.disable_adapter(), other.disable_adapter():
        assert torch.equal(own(input_ids=IDS).logits, other(input_ids=IDS).logits)


def test_mixed_precision_is_pefts_own():
    own, other = both(tiny_llama(vocab_size=37).bfloat16())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(own(input_ids=IDS).logits, other(input_ids=IDS).logits)


def test_a_policy_in_training_is_not_merged():
    _, other = both(tiny_llama(vocab_size=37))
    with pytest.raises(NotImplementedError, match="from its entry"):
        other.merge_and_unload()
