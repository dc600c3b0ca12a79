"""Reward models whose files are not whole, or of another model, are refused and named."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from moa.oracles import beaver, sequence_classifier
from moa.oracles.fitting import embedding
from moa.oracles.loading import load_config, load_network
from moa.runtime.errors import JobError
from support.tiny_oracles import (
    paper_oracle,
    save_beaver,
    save_gpt2_reward,
    save_humor,
    save_roberta,
)

X = "Tell me a joke, please."


def gpt2_oracle(folder, **changes):
    params = paper_oracle("assistant2", "helpfulness", folder, **changes)
    return sequence_classifier.load("helpfulness", params, None)


def saved_oracle(folder):
    """Its config.json and how it is loaded; folder: named beaver, gpt2 or humor."""
    save, task, objective, kind = {
        "beaver": (save_beaver, "safety", "helpfulness", beaver),
        "gpt2": (save_gpt2_reward, "assistant2", "helpfulness", sequence_classifier),
        "humor": (save_humor, "assistant3", "humor", sequence_classifier),
    }[folder.name]
    save(folder)
    params = paper_oracle(task, objective, folder)
    return folder / "config.json", lambda: kind.load(objective, params, None)


def test_a_model_without_its_head_is_refused(tmp_path):
    save_beaver(tmp_path / "beaver")
    file = tmp_path / "beaver" / "model.safetensors"
    weights = load_file(file)
    save_file({k: v for k, v in weights.items() if k != "score_head.weight"}, file)
    params = paper_oracle("safety", "helpfulness", tmp_path / "beaver")
    with pytest.raises(JobError, match=r"lacks weights of a ScoreModel.*score_head\.weight"):
        beaver.load("helpfulness", params, None)


def test_a_head_of_another_size_is_refused(tmp_path):
    save_gpt2_reward(tmp_path / "gpt2")
    about = tmp_path / "gpt2" / "config.json"
    config = json.loads(about.read_text())
    labels = {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}}
    about.write_text(json.dumps({**config, **labels}))
    with pytest.raises(JobError, match=r"another shape.*: score\.weight"):
        gpt2_oracle(tmp_path / "gpt2")


@pytest.mark.parametrize(
    ("name", "key"), [("beaver", "num_hidden_layers"), ("gpt2", "n_layer"), ("humor", "n_layers")]
)
def test_layers_that_the_config_leaves_out_are_refused(tmp_path, name, key):
    """transformers would only warn, and score with the layers that are left."""
    about, load = saved_oracle(tmp_path / name)
    about.write_text(json.dumps({**json.loads(about.read_text()), key: 1}))
    with pytest.raises(JobError, match=rf"{name} has weights that a \w+ of its config.json has no"):
        load()


def test_an_encoder_with_weights_missing_or_left_out_is_refused(tmp_path, monkeypatch):
    about, _ = saved_oracle(tmp_path / "humor")
    config = json.loads(about.read_text())
    packed = tmp_path / "humor" / "pytorch_model.bin"
    monkeypatch.setattr(embedding, "package_file", lambda package, folder: tmp_path / "humor")
    weights = {k: v for k, v in torch.load(packed).items() if k.startswith("distilbert.")}
    torch.save(weights, packed)
    assert embedding.Encoder(16).embed(["a"]).shape == (1, config["dim"])
    about.write_text(json.dumps({**config, "n_layers": 1}))
    with pytest.raises(
        JobError, match=r"has weights that a DistilBertModel of its config.json has no"
    ):
        embedding.Encoder(16)
    about.write_text(json.dumps({**config, "n_layers": 3}))
    with pytest.raises(JobError, match="lacks weights of a DistilBertModel"):
        embedding.Encoder(16)


def test_weights_that_no_score_reads_are_left_out(tmp_path):
    save_roberta(tmp_path / "roberta")
    _, load = saved_oracle(tmp_path / "gpt2")
    unused = {
        "roberta": [
            "roberta.embeddings.position_ids",
            "roberta.pooler.dense.weight",
            "lm_head.bias",
        ],
        "gpt2": ["transformer.h.0.attn.bias", "transformer.h.0.attn.masked_bias", "lm_head.weight"],
    }
    for name, keys in unused.items():
        file = tmp_path / name / "model.safetensors"
        weights = {**load_file(file), **{key: torch.zeros(1) for key in keys}}
        save_file(weights, file, {"format": "pt"})
    assert load_network(AutoModelForSequenceClassification, tmp_path / "roberta", "float32")
    assert load().score([X], ["No."]).shape == (1,)


@pytest.mark.parametrize("content", ["cut", "pointer", "nothing"])
@pytest.mark.parametrize("name", ["beaver", "gpt2"])
def test_a_broken_file_of_weights_is_named_with_the_mend(tmp_path, name, content):
    _, load = saved_oracle(tmp_path / name)
    file = tmp_path / name / "model.safetensors"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    file.write_bytes({"cut": file.read_bytes()[:-100], "pointer": pointer, "nothing": b""}[content])
    with pytest.raises(JobError, match=rf"{file}: cannot be loaded as .*download or copy it again"):
        load()


@pytest.mark.parametrize("name", ["beaver", "gpt2", "humor"])
def test_weights_of_the_older_form_or_a_tokenizer_that_are_broken_are_named_too(tmp_path, name):
    _, load = saved_oracle(tmp_path / name)
    (tmp_path / name / "model.safetensors").unlink(missing_ok=True)
    (tmp_path / name / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    with pytest.raises(JobError, match=rf"{tmp_path / name}: cannot be loaded .*download or copy"):
        load()
    (tmp_path / name / "tokenizer.json").write_text('{"version"')
    with pytest.raises(
        JobError, match=rf"{tmp_path / name}: its tokenizer cannot be loaded .*again"
    ):
        load()


def test_a_wrong_index_or_template_is_explained(tmp_path):
    save_gpt2_reward(tmp_path / "gpt2")
    with pytest.raises(JobError, match=r"index is 1, but .* has 1 logits"):
        gpt2_oracle(tmp_path / "gpt2", index=1)
    with pytest.raises(JobError, match=r"neither template nor pair_template has \{response\}"):
        gpt2_oracle(tmp_path / "gpt2", pair_template=None)
    with pytest.raises(JobError, match=str(tmp_path / "nothing")):
        gpt2_oracle(tmp_path / "nothing")


def test_code_that_comes_with_a_model_is_neither_run_nor_asked_about(tmp_path):
    config = {"model_type": "of_its_own", "auto_map": {"AutoConfig": "code.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "code.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(JobError, match=r"its configuration cannot be loaded.*part of transformers"):
        load_config(tmp_path)
