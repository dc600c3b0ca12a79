"""The base kind `hub`: weights linked, EOS kept, a pad token apart from it."""

import json
import os

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

from moa.models.policies import load_policy, load_tokenizer
from moa.runtime.errors import JobError
from moa.runtime.publishing import publishing
from moa.training.bases.hub import build
from moa.training.bases.settings import PinnedHubBase
from support.tiny_tokenizers import FIM_PAD, llama_tokenizer, qwen_tokenizer

SPEC = {"stage": "base", "name": "hub", "inputs": {}, "params": {}, "seed": None, "operation": {}}
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def snapshot_of(folder, tokenizer, config_class, **saving):
    """A published folder: the model, its tokenizer and files that no policy needs."""
    torch.manual_seed(0)
    config = config_class(
        vocab_size=len(tokenizer) + 7,  # published embeddings are often wider than the vocabulary
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=None,
        **SIZES,
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    model.save_pretrained(folder, **saving)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text("a model card")
    return model


def publish(store, folder, pad_token=None):
    out = store / "base" / "hub-0123456789ab"
    settings = PinnedHubBase(kind="hub", model=str(folder), pad_token=pad_token)
    with publishing(SPEC, out) as job:
        build(settings, job.inputs, job.out)
    return out


@pytest.mark.parametrize(
    ("tokenizer", "config_class", "pad_token", "eos", "pad"),
    [
        (llama_tokenizer, LlamaConfig, None, "</s>", "<pad>"),
        (qwen_tokenizer, Qwen3Config, FIM_PAD, "<|endoftext|>", FIM_PAD),
    ],
    ids=["alpaca", "qwen"],
)
def test_a_published_model_becomes_a_policy_that_can_learn_to_stop(
    tmp_path, tokenizer, config_class, pad_token, eos, pad
):
    model = snapshot_of(tmp_path / "hub", tokenizer(), config_class)
    base = publish(tmp_path / "results" / "store", tmp_path / "hub", pad_token)
    loaded, policy = load_tokenizer(base), load_policy(base)
    assert (loaded.eos_token, loaded.pad_token) == (eos, pad)
    assert policy.config.pad_token_id == loaded.pad_token_id != loaded.eos_token_id
    text = "Human: How do I bake bread? Assistant: Flour."
    assert loaded(text)["input_ids"] == tokenizer()(text)["input_ids"]
    ids = torch.tensor([loaded(text)["input_ids"]])
    assert torch.equal(policy(ids).logits, model(ids).logits)


def test_weights_are_links_that_publishing_leaves_alone(tmp_path):
    snapshot_of(tmp_path / "hub", llama_tokenizer(), LlamaConfig, max_shard_size="20KB")
    shards = sorted((tmp_path / "hub").glob("model-*.safetensors"))
    assert len(shards) > 2
    for shard in shards:
        shard.chmod(0o400)
    base = publish(tmp_path / "results" / "store", tmp_path / "hub")
    for shard in [*shards, tmp_path / "hub" / "model.safetensors.index.json"]:
        link = base / shard.name
        assert link.is_symlink() and link.samefile(shard)
        assert not os.path.isabs(os.readlink(link))
    assert {shard.stat().st_mode & 0o777 for shard in shards} == {0o400}
    assert not (base / "README.md").exists()
    load_policy(base)


def test_no_pad_token_apart_from_eos_is_explained(tmp_path):
    snapshot_of(tmp_path / "hub", qwen_tokenizer(), Qwen3Config)
    store = tmp_path / "results" / "store"
    with pytest.raises(
        JobError, match=r"pad token would be '<\|endoftext\|>' and EOS is .*set pad"
    ):
        publish(store, tmp_path / "hub")
    with pytest.raises(JobError, match=r"pad_token '<spare>' has no embedding"):
        publish(store, tmp_path / "hub", "<spare>")
    config = tmp_path / "hub" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "vocab_size": 100}))
    with pytest.raises(JobError, match=r"ids up to \d+, and the model 100 embeddings"):
        publish(store, tmp_path / "hub", FIM_PAD)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config.json", None, "its configuration cannot be loaded"),
        ("config.json", "{", "its configuration cannot be loaded"),
        ("config.json", '{"vocab_size": 9}', "its configuration cannot be loaded"),
        ("tokenizer.json", "{}", "its tokenizer cannot be loaded"),
    ],
)
def test_a_folder_that_is_no_model_is_told_so(tmp_path, name, text, said):
    folder = tmp_path / "hub"
    snapshot_of(folder, llama_tokenizer(), LlamaConfig)
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(JobError, match=said):
        publish(tmp_path / "results" / "store", folder)


def test_a_snapshot_that_is_not_whole_is_named(tmp_path):
    snapshot_of(tmp_path / "hub", llama_tokenizer(), LlamaConfig, max_shard_size="20KB")
    shard = sorted((tmp_path / "hub").glob("model-*.safetensors"))[1]
    shard.unlink()
    store = tmp_path / "results" / "store"
    with pytest.raises(JobError, match=f"lacks {shard.name}"):
        publish(store, tmp_path / "hub")
    for path in (tmp_path / "hub").glob("model*"):
        path.unlink()
    with pytest.raises(JobError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        publish(store, tmp_path / "hub")
