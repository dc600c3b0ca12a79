"""The self-check of a base: which architectures can be sampled and scored, and what is said of others."""

from __future__ import annotations

import pytest
import torch
from transformers import Lfm2Config, MambaConfig, MistralConfig, RwkvConfig

from moa.models.self_check import check_base, check_model
from moa.runtime.checks import require
from moa.runtime.errors import JobError
from support.tiny_models import BUILDERS, SHAPE, SPECIAL, VOCAB, WIDTH, made_from, tiny_llama
from support.tiny_tokenizers import llama_tokenizer

RECURRENT = {
    "mamba": lambda: MambaConfig(
        vocab_size=VOCAB,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        state_size=8,
        initializer_range=0.3,
        **SPECIAL,
    ),
    "lfm2": lambda: Lfm2Config(**SHAPE, layer_types=["conv", "full_attention"]),
    "rwkv": lambda: RwkvConfig(
        vocab_size=VOCAB,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        attention_hidden_size=WIDTH,
        intermediate_size=48,
        **SPECIAL,
    ),
}


def verdicts(model):
    return [check.verdict for check in check_model(model)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", BUILDERS)
def test_a_decoder_passes(family, dtype):
    assert verdicts(BUILDERS[family]().to(dtype)) == ["ok", "ok", "ok"]


def test_a_windowed_model_passes_and_its_cost_is_noted():
    model = made_from(MistralConfig(**SHAPE, sliding_window=8))
    assert verdicts(model) == ["ok", "ok", "note"]
    assert "row of its own" in check_model(model)[-1].found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", RECURRENT)
def test_what_cannot_be_sampled_exactly_is_refused(family, dtype):
    checks = check_model(made_from(RECURRENT[family]()).to(dtype))
    assert "fails" in [check.verdict for check in checks]
    with pytest.raises(JobError, match=r"sampling in batches.*another architecture"):
        require(checks, "hub")


def test_weights_that_are_not_finite_are_refused():
    model = tiny_llama()
    with torch.no_grad():
        model.lm_head.weight[50, 3] = torch.nan
    assert verdicts(model)[:2] == ["fails", "fails"]


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    tokenizer = llama_tokenizer()
    tiny_llama(vocab_size=len(tokenizer) - 1).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(
        JobError, match=r"ids up to \d+ for \d+ embeddings. The tokenizer is of another"
    ):
        require(check_base(tmp_path), "hub")
