"""Neural oracles: models in the published form at small width, against one plain row at a time."""

import logging

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from moa.oracles import beaver, sequence_classifier
from moa.oracles.base import load_oracles
from moa.oracles.placement import PLACEMENTS, Placed, device_for
from moa.oracles.scoring_model import ScoringModel
from moa.runtime.errors import JobError
from support.tiny_oracles import (
    paper_oracle,
    save_beaver,
    save_gpt2_reward,
    save_humor,
)
from support.tiny_tokenizers import gpt2_tokenizer

X = "Tell me a joke, please."
TURNS = "Hi\n\nAssistant: Hello.\n\nHuman: What is 2 + 2?"
PROMPTS = [X, TURNS, X, "", "How do I bake good bread at home?" * 2, X]
RESPONSES = ["No.", "It is four, and <pad></s>", "", "Flour.", "é 日本", "I would<|endoftext|>"]
NO_SPECIAL = ["No.", "It is four.", "", "Flour.", "é 日本", "I would"]


def gpt2_oracle(folder, **changes):
    params = paper_oracle("assistant2", "helpfulness", folder, **changes)
    return sequence_classifier.load("helpfulness", params, None)


# What goes in, character for character


def test_beaver_reads_the_published_template_without_a_last_space_or_eos(tmp_path):
    save_beaver(tmp_path / "beaver")
    assert beaver.render("Hi?", "Hello.", "</s>") == (
        "BEGINNING OF CONVERSATION: USER: Hi? ASSISTANT:Hello."
    )
    assert beaver.render(TURNS, "Four.", "</s>") == (
        "BEGINNING OF CONVERSATION: USER: Hi ASSISTANT:Hello.</s>USER: What is 2 + 2? ASSISTANT:Four."
    )
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "beaver")
    params = paper_oracle("safety", "helpfulness", tmp_path / "beaver")
    ids = beaver.load("helpfulness", params, None).row(TURNS, "Four.")["input_ids"]
    assert tokenizer.decode(ids) == "<s> " + beaver.render(TURNS, "Four.", "</s>")
    assert ids.count(tokenizer.bos_token_id) == ids.count(tokenizer.eos_token_id) == 1


def test_the_gpt2_models_read_a_pair_with_a_space_before_the_last_line_break(tmp_path):
    save_gpt2_reward(tmp_path / "gpt2")
    tokenizer = gpt2_tokenizer()
    for objective in ("helpfulness", "harmlessness"):
        params = paper_oracle("assistant3", objective, tmp_path / "gpt2")
        oracle = sequence_classifier.load(objective, params, None)
        one = oracle.row("Hi?", "Hello.")["input_ids"]
        assert tokenizer.decode(one) == "\n\nHuman: Hi? \n\nAssistant:Hello."
        # Tokenised apart: the response never merges with the question's last colon.
        assert one == [
            *tokenizer("\n\nHuman: Hi? \n\nAssistant:").input_ids,
            *tokenizer("Hello.").input_ids,
        ]
        assert tokenizer.decode(oracle.row(TURNS, "Four.")["input_ids"]) == (
            "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: What is 2 + 2? \n\nAssistant:Four."
        )


def test_humor_reads_the_response_alone(tmp_path):
    save_humor(tmp_path / "humor")
    params = paper_oracle("assistant3", "humor", tmp_path / "humor")
    oracle = sequence_classifier.load("humor", params, None)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "humor")
    assert oracle.row(TURNS, "Four.") == oracle.row("", "Four.")
    assert tokenizer.convert_ids_to_tokens(oracle.row(X, "Four.")["input_ids"])[0] == "[CLS]"
    assert oracle.row(X, "Four.")["input_ids"] == tokenizer("Four.")["input_ids"]


def test_braces_in_a_text_are_text(tmp_path):
    save_gpt2_reward(tmp_path / "gpt2")
    ids = gpt2_oracle(tmp_path / "gpt2").row("a {response}", "{prompt} {}")["input_ids"]
    assert gpt2_tokenizer().decode(ids) == "\n\nHuman: a {response} \n\nAssistant:{prompt} {}"


# Scores of a padded batch against one row at a time


@pytest.mark.parametrize("side", ["left", "right"])
def test_beaver_scores_are_the_head_on_the_last_token_of_each_row(tmp_path, side):
    backbone, head = save_beaver(tmp_path / "beaver", side)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "beaver")
    assert tokenizer.padding_side == side
    expected = []
    for x, y in zip(PROMPTS, NO_SPECIAL, strict=True):
        row = tokenizer(beaver.render(x, y, "</s>"), return_tensors="pt")
        with torch.no_grad():
            expected.append(float(head @ backbone(**row).last_hidden_state[0, -1]))
    params = paper_oracle("safety", "helpfulness", tmp_path / "beaver")
    scores = beaver.load("helpfulness", params, None).score(PROMPTS, NO_SPECIAL)
    assert scores.dtype == np.float64 and len(set(expected)) == len(expected)
    assert scores == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_gpt2_scores_are_those_of_the_model_card_one_row_at_a_time(tmp_path, side):
    """Also where the text ends in the name of the only special token, which other code pads with."""
    model = save_gpt2_reward(tmp_path / "gpt2", side)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "gpt2")
    assert tokenizer.pad_token is None and tokenizer.padding_side == side
    expected = []
    for x, y in zip(PROMPTS, RESPONSES, strict=True):
        text = f"\n\nHuman: {x} \n\nAssistant:"
        row = tokenizer(text, y, split_special_tokens=True, return_tensors="pt")
        with torch.no_grad():
            expected.append(float(model(**row).logits[0, 0]))
    scores = gpt2_oracle(tmp_path / "gpt2").score(PROMPTS, RESPONSES)
    assert scores.dtype == np.float64 and len(set(expected)) == len(expected)
    assert scores == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("named", ["DistilBertTokenizer", "BertTokenizer"])
def test_humor_is_the_raw_logit_of_label_1(tmp_path, named):
    model = save_humor(tmp_path / "humor")
    about = tmp_path / "humor" / "tokenizer_config.json"
    about.write_text(about.read_text().replace("DistilBertTokenizer", named))  # has token types
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "humor")
    expected = []
    for y in RESPONSES:
        row = tokenizer(y, return_tensors="pt", return_token_type_ids=False)
        with torch.no_grad():
            expected.append(float(model(**row).logits[0, 1]))
    params = paper_oracle("assistant3", "humor", tmp_path / "humor")
    scores = sequence_classifier.load("humor", params, None).score(PROMPTS, RESPONSES)
    assert scores == pytest.approx(expected, abs=1e-4)


def test_a_bfloat16_model_still_has_scores_of_full_precision(tmp_path):
    save_beaver(tmp_path / "beaver")
    save_gpt2_reward(tmp_path / "gpt2")
    params = paper_oracle("safety", "helpfulness", tmp_path / "beaver", dtype="bfloat16")
    for oracle in (
        beaver.load("helpfulness", params, None),
        gpt2_oracle(tmp_path / "gpt2", dtype="bfloat16"),
    ):
        scores = torch.tensor(oracle.score(PROMPTS, RESPONSES))
        assert (scores != scores.bfloat16().double()).all()


def test_the_cost_is_negated_exactly_once_and_no_other_objective_is(tmp_path):
    """With one and the same network behind all five oracles of the paper."""
    save_beaver(tmp_path / "beaver")
    save_gpt2_reward(tmp_path / "gpt2")
    save_humor(tmp_path / "humor")
    beavers = {
        name: paper_oracle("safety", name, tmp_path / "beaver")
        for name in ("helpfulness", "harmlessness")
    }
    reward, cost = load_oracles(list(beavers), beavers, {})
    found = reward.score(PROMPTS, RESPONSES)
    assert (cost.score(PROMPTS, RESPONSES) == -found).all() and (found != 0).all()
    for name, folder in (("helpfulness", "gpt2"), ("harmlessness", "gpt2"), ("humor", "humor")):
        params = paper_oracle("assistant3", name, tmp_path / folder)
        assert params["negate"] is False
        plain = sequence_classifier.load(name, params, None)
        turned = sequence_classifier.load(name, {**params, "negate": True}, None)
        assert (plain.score([X], ["No."]) == -turned.score([X], ["No."])).all()


# Length


def test_a_long_prompt_loses_its_front_and_the_response_stays_whole(tmp_path):
    save_gpt2_reward(tmp_path / "gpt2")
    oracle, tokenizer = gpt2_oracle(tmp_path / "gpt2", max_tokens=60), gpt2_tokenizer()
    x, y = "é 日本 first words. " * 20 + TURNS, "It is four, and numbers too."
    ids = oracle.row(x, y)["input_ids"]
    assert 50 < len(ids) <= 60
    text = tokenizer.decode(ids)
    assert text.startswith("\n\nHuman: ") and text.endswith(TURNS[-20:] + " \n\nAssistant:" + y)
    assert np.isfinite(oracle.score([x], [y])).all()


def test_only_a_response_too_long_by_itself_is_cut_and_a_log_line_says_so(tmp_path, caplog):
    save_gpt2_reward(tmp_path / "gpt2")
    oracle, tokenizer = gpt2_oracle(tmp_path / "gpt2", max_tokens=60), gpt2_tokenizer()
    y = "It is four. " * 40
    with caplog.at_level(logging.WARNING, logger="moa"):
        ids = oracle.row(X, y)["input_ids"]
    assert 50 < len(ids) <= 60
    head, _, kept = tokenizer.decode(ids).partition("Assistant:")
    assert head == "\n\nHuman:  \n\n" and y.startswith(kept) and len(kept) > 30
    assert "oracle helpfulness reads 60 tokens" in caplog.text
    with pytest.raises(JobError, match="max_tokens is 8, less than its template of"):
        gpt2_oracle(tmp_path / "gpt2", max_tokens=8).row(X, y)


def test_a_model_is_never_given_more_than_it_has_positions_for(tmp_path):
    save_gpt2_reward(tmp_path / "gpt2")
    save_humor(tmp_path / "humor")
    save_beaver(tmp_path / "beaver")
    humor = paper_oracle("assistant3", "humor", tmp_path / "humor")
    helpful = paper_oracle("safety", "helpfulness", tmp_path / "beaver")
    long = "bake good bread " * 300
    for oracle, limit in (
        (gpt2_oracle(tmp_path / "gpt2"), 128),
        (sequence_classifier.load("humor", humor, None), 64),
        (beaver.load("helpfulness", helpful, None), 128),
    ):
        assert limit - 5 < len(oracle.row("x", long)["input_ids"]) <= limit
        assert np.isfinite(oracle.score([long, X], ["No.", long])).all()


# Memory


class Narrow(torch.nn.Module):
    """Scores a row by its number of tokens; has room for `limit` rows at a time."""

    def __init__(self, limit):
        super().__init__()
        self.limit, self.sizes = limit, []

    def forward(self, input_ids, attention_mask):
        self.sizes.append(len(input_ids))
        if len(input_ids) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return attention_mask.sum(dim=1).float()


def narrow_oracle(limit):
    network, tokenizer = Narrow(limit), gpt2_tokenizer()
    oracle = ScoringModel(
        "helpfulness",
        network,
        tokenizer,
        lambda x, y: {"input_ids": tokenizer(x + y)["input_ids"]},
        max_tokens=1000,
        negate=False,
        placement="same_gpu",
    )
    return oracle, network, tokenizer


def test_a_batch_that_does_not_fit_is_halved_until_it_does():
    oracle, network, tokenizer = narrow_oracle(limit=5)
    responses = ["bread " * n for n in (3, 9, 1, 30, 7, 2, 12)] * 3
    expected = [len(tokenizer(y)["input_ids"]) for y in responses]
    assert oracle.score([""] * 21, responses).tolist() == expected
    assert network.sizes == [21, 10, 5, 5, 5, 5, 1]
    network.sizes.clear()
    oracle.score([""] * 21, responses)
    assert network.sizes == [5, 5, 5, 5, 1]  # remembered


def test_one_response_that_does_not_fit_stops_with_the_mend():
    with pytest.raises(
        JobError, match=r"oracle helpfulness: not even one response fits.*placement"
    ):
        narrow_oracle(limit=0)[0].score(["", ""], ["a", "b"])


def test_no_rows_give_no_scores():
    assert narrow_oracle(limit=1)[0].score([], []).shape == (0,)


# Placement


def test_every_placement_scores_alike_without_a_gpu(tmp_path):
    save_gpt2_reward(tmp_path / "gpt2")
    specs = {
        "helpfulness": paper_oracle("assistant2", "helpfulness", tmp_path / "gpt2"),
        "harmlessness": {"kind": "synthetic_world"},  # a kind that is placed nowhere
    }
    found = [load_oracles(list(specs), specs, {}, p)[0].score([X], ["No."]) for p in PLACEMENTS]
    assert found[0] == found[1] == found[2]
    with pytest.raises(ValueError, match="placement is 'gpu'"):
        load_oracles(list(specs), specs, {}, "gpu")


@pytest.mark.parametrize(
    ("placement", "gpus", "environ", "device"),
    [
        ("same_gpu", 0, {}, "cpu"),
        ("second_gpu", 0, {"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, "cpu"),
        ("same_gpu", 1, {}, "cuda:0"),
        ("cpu_offload", 1, {}, "cuda:0"),
        ("second_gpu", 2, {}, "cuda:1"),
        ("same_gpu", 4, {"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, "cuda:1"),
        ("second_gpu", 4, {"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, "cuda:3"),
    ],
)
def test_each_process_has_its_own_gpus(placement, gpus, environ, device):
    assert device_for(placement, gpus, environ) == torch.device(device)


def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(
        JobError, match=r"second_gpu needs GPU 1 for process 0 of 1, but the job has 1"
    ):
        device_for("second_gpu", 1, {})


def test_offloaded_weights_visit_the_device_and_rest_on_the_cpu(tmp_path):
    """The meta device stands for a GPU: tensors on it have a device but no values."""
    model = save_gpt2_reward(tmp_path / "gpt2")
    before = {name: tensor.data_ptr() for name, tensor in model.named_parameters()}
    placed = Placed(model, torch.device("meta"), offload=True)
    with placed.ready() as network:
        ids = torch.zeros(1, 3, dtype=torch.long, device="meta")
        assert network(input_ids=ids).logits.device.type == "meta"
    assert {name: tensor.data_ptr() for name, tensor in model.named_parameters()} == before
    assert not any(p.requires_grad or p.device.type != "cpu" for p in model.parameters())
