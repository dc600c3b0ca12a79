"""Texts as token ids: what a dataset holds is text, and no row is longer than its network reads."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from moa.oracles import beaver, sequence_classifier
from moa.oracles.fitting import embedding
from moa.oracles.tokens import Tokens, most_tokens
from support import tiny_tokenizers
from support.tiny_oracles import paper_oracle, save_beaver, save_gpt2_reward, save_roberta

NAMES = "a </s> b<pad>c <|endoftext|> [SEP]<|im_end|><mask> </s>"
SHORT = "a </s><pad> "
TURNS = f"Hi {SHORT}\n\nAssistant: Hello.\n\nHuman: What is 2 + 2?"
TOKENIZERS = ("llama", "gpt2", "qwen", "distilbert", "roberta", "deberta")


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request, tmp_path):
    getattr(tiny_tokenizers, f"{request.param}_tokenizer")().save_pretrained(tmp_path)
    return AutoTokenizer.from_pretrained(tmp_path)


def special_in(tokenizer, ids):
    unknown = {tokenizer.unk_token_id} - {tokenizer.eos_token_id}
    return [i for i in ids if i in tokenizer.all_special_ids and i not in unknown]


def test_a_special_token_in_a_text_is_text(tokenizer):
    tokens = Tokens(tokenizer)
    for own, texts in (
        (tokenizer(""), [NAMES]),
        (tokenizer("a", "a"), [NAMES, NAMES]),
        (tokenizer(""), ["".join(tokenizer.all_special_tokens)]),
    ):
        row = tokens(*texts)
        assert special_in(tokenizer, row["input_ids"]) == special_in(tokenizer, own["input_ids"])
        assert {len(values) for values in row.values()} == {len(row["input_ids"])}


def test_texts_without_special_tokens_are_what_the_tokenizer_makes_of_them(tokenizer):
    tokens = Tokens(tokenizer)
    for texts in (["What is 2 + 2?\n\n é"], ["", "joke, please"], ["a", ""]):
        expected = tokenizer(*texts, return_attention_mask=False)
        assert tokens(*texts) == dict(expected)


def test_a_special_token_of_a_template_is_that_token(tokenizer):
    name = tokenizer.eos_token or tokenizer.sep_token
    expected = tokenizer(f"Hi{name} bread {name}{name}\nis it").input_ids
    tokens = Tokens(tokenizer)
    template = tokens.template(f"{{x}}{name} bread {name}{name}\n{{y}}")
    assert tokens(template.format(x="Hi", y="is it"))["input_ids"] == expected
    ids = tokens(template.format(x="Hi", y="is </s>[SEP]<|endoftext|>"))["input_ids"]
    assert special_in(tokenizer, ids) == special_in(tokenizer, expected)


def test_beaver_reads_an_eos_between_turns_and_no_other(tmp_path):
    save_beaver(tmp_path / "beaver")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "beaver")
    params = paper_oracle("safety", "helpfulness", tmp_path / "beaver")
    ids = beaver.load("helpfulness", params, None).row(TURNS, f"Four. {SHORT}</s>")["input_ids"]
    assert special_in(tokenizer, ids) == [tokenizer.bos_token_id, tokenizer.eos_token_id]
    text = beaver.render(TURNS, f"Four. {SHORT}</s>", "</s>")
    assert tokenizer.decode(ids) == f"<s> {text}"


def test_beaver_reads_no_eos_at_the_end_though_its_tokenizer_adds_one(tmp_path):
    save_beaver(tmp_path / "plain")
    save_beaver(tmp_path / "ending")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "ending")
    tokenizer.add_bos_token = tokenizer.add_eos_token = True
    tokenizer.update_post_processor()
    tokenizer.save_pretrained(tmp_path / "ending")
    again = AutoTokenizer.from_pretrained(tmp_path / "ending")
    assert again("a").input_ids[-1] == again.eos_token_id
    plain, ending = (
        beaver.load("helpfulness", paper_oracle("safety", "helpfulness", tmp_path / name), None)
        for name in ("plain", "ending")
    )
    for y in ("Four.", "", "Four.</s>"):
        assert ending.row(TURNS, y) == plain.row(TURNS, y)


def test_a_classifier_reads_special_tokens_of_its_template_alone(tmp_path):
    save_gpt2_reward(tmp_path / "gpt2")
    template = "{prompt}<|endoftext|>{response}"
    params = paper_oracle(
        "assistant2", "helpfulness", tmp_path / "gpt2", template=template, pair_template=None
    )
    oracle = sequence_classifier.load("helpfulness", params, None)
    tokenizer = tiny_tokenizers.gpt2_tokenizer()
    ids = oracle.row(NAMES, NAMES)["input_ids"]
    assert ids.count(tokenizer.eos_token_id) == 1
    assert tokenizer.decode(ids) == template.format(prompt=NAMES, response=NAMES)
    cut = oracle.row(NAMES * 20, "No.")["input_ids"]  # a cut text is text, too
    assert len(cut) <= 128 and cut.count(tokenizer.eos_token_id) == 1


def test_the_sentence_encoder_reads_special_tokens_as_text_and_no_more_than_it_can():
    try:
        metadata.version(embedding.PACKAGE)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{embedding.PACKAGE} is not installed")
    encoder = embedding.Encoder(max_tokens=2048)
    one, other, long = encoder.embed(["flour [SEP] [CLS]", "flour", "flour " * 3000])
    assert np.linalg.norm(one - other) > 0.1 and np.isfinite(long).all()
    seen = []
    encoder._model.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True
    )
    encoder.embed(["bread [SEP] [PAD]"])
    assert (seen[0] == encoder._tokenizer.sep_token_id).sum() == 1
    assert (seen[0] == encoder._tokenizer.pad_token_id).sum() == 0


@pytest.mark.parametrize("pair", [False, True])
def test_a_roberta_is_given_as_many_tokens_as_it_has_positions_for_without_padding(tmp_path, pair):
    """Its tokenizer does not say how many: 514 positions hold 512 tokens, here 34 hold 32."""
    model = save_roberta(tmp_path / "roberta")
    assert AutoTokenizer.from_pretrained(tmp_path / "roberta").model_max_length > 10**9
    template, second = ("{prompt}", "{response}") if pair else ("{prompt} {response}", None)
    params = paper_oracle(
        "assistant2", "helpfulness", tmp_path / "roberta", template=template, pair_template=second
    )
    oracle = sequence_classifier.load("helpfulness", params, None)
    lengths = set()
    for n in (1, 7, 12, 13, 14, 15, 16, 60):
        row = oracle.row("x", "a b " * n)
        lengths.add(len(row["input_ids"]))
        assert np.isfinite(oracle.score(["x"], ["a b " * n])).all()
    assert max(lengths) == 32
    with pytest.raises((IndexError, RuntimeError)), torch.no_grad():
        model(input_ids=torch.full((1, 33), 7))


def test_a_network_without_a_limit_reads_what_is_asked_for():
    class Network(torch.nn.Module):
        class config:
            max_position_embeddings = -1

    assert most_tokens(4096, Network()) == 4096
