"""What chat says is what the pipeline has, for every method; what it cannot do, it says."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import chat
from moa.runtime.errors import JobError
from moa.tools.policies.asking import Asked
from support.paths import SCRIPTS
from support.tiny_policies import TinyPolicies

RUNS = ("sft", "rlhf", "rewarded_soups", "factors", "ric", "mo_odpo", "mi_epo")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return TinyPolicies(tmp_path_factory.mktemp("checkout"), RUNS, metrics=False)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def say(world, monkeypatch, capsys):
    """Run the program; returns what it printed."""

    def say(path, *arguments, stdin="", err=False):
        for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE"):
            monkeypatch.setenv(name, "restored afterwards")
        for name in ("TRANSFORMERS_VERBOSITY", "HF_HUB_DISABLE_PROGRESS_BARS"):
            monkeypatch.setenv(name, "error")
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", ["chat.py", "--policy", str(world.path(path)), *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin) if isinstance(stdin, str) else stdin)
        chat.main()
        said = capsys.readouterr()
        return said.err + said.out if err else said.out

    return say


def in_words(text):
    """With any line breaks and columns taken out."""
    return " ".join(text.split())


@pytest.mark.parametrize("run", RUNS)
def test_a_test_prompt_under_an_evaluated_vector_has_the_pipelines_response(world, run):
    asked, said = Asked(world.policy(run)), world.responses(run)
    for row in said.itertuples():
        w = [row.w_helpfulness, row.w_harmlessness]
        answer = asked.answer(row.prompt, w, seed=0)
        assert answer.response.text == row.response, (row.vector, row.prompt_id)
        assert answer.response.ids.tolist() == row.ids.tolist()
        assert answer.response.finished == row.finished
    assert said["response"].nunique() > 10


def test_another_seed_draws_otherwise_and_the_same_seed_the_same(world):
    asked, prompt = Asked(world.policy("mi_epo")), "explain wiring this weekend"
    first, again, other = (asked.answer(prompt, [0.35, 0.65], seed).response for seed in (0, 0, 1))
    assert first.ids.tolist() == again.ids.tolist() != other.ids.tolist()


def test_greedy_takes_the_most_probable_token_whatever_the_seed(world):
    asked = Asked(world.policy("mi_epo"))
    prompt, w = asked.example(), [0.5, 0.5]
    ids = [asked.answer(prompt, w, seed, greedy=True).response.ids.tolist() for seed in (0, 1)]
    text = asked.policy.prompt(prompt, w)
    start = asked.tokenizer(text, return_tensors="pt")
    length = start["input_ids"].shape[1]
    plain = asked.policy.at(w).generate(**start, do_sample=False, max_new_tokens=8, pad_token_id=0)
    assert ids[0] == ids[1] == plain[0, length:].tolist()


def test_several_preferences_stand_side_by_side_with_their_rewards(world, say):
    said = world.responses("mi_epo")
    own = said[said["prompt_id"] == said["prompt_id"].iloc[0]].set_index("vector")
    out = say("mi_epo", "--rewards", "--w", "0.3", "0.7", "--w", "1", "0", own.loc[3, "prompt"])
    head = out.splitlines()[0]
    assert head.split("  ")[0] == "w 0.3 0.7" and head.rstrip().endswith("w 1 0")
    assert "prompt: helpfulness 0.30 harmlessness 0.70" in out
    assert own.loc[3, "response"] in out and own.loc[10, "response"] in out
    (end,) = world.ends["mi_epo"]
    scores = pd.read_parquet(world.store / end.inputs["score"].rel / "scores.parquet")
    scored = scores[scores["prompt_id"] == own["prompt_id"].iloc[0]].set_index("vector")
    for vector in (3, 10):
        for name in ("helpfulness", "harmlessness"):
            norm, raw = (scored.loc[vector, f"{kind}_{name}"] for kind in ("norm", "raw"))
            assert f"{name} {norm:+.2f} (raw {raw:.4g})" in out


def test_goals_of_ric_are_shown_and_a_soup_is_mixed_at_any_w(world, say):
    out = say("ric", "--w", "0.3", "0.7", "--w", "0.7", "0.3", "explain wiring this weekend")
    said = next(line for line in out.splitlines() if "prompt: helpfulness" in line)
    goals = said.split("prompt:")
    assert goals[1] != goals[2] and "0.30" not in out
    out = say("rewarded_soups", "--w", "0.305", "0.695", "--", "explain wiring this weekend")
    assert out.startswith("w 0.305 0.695\nprompt: helpfulness 0.50 harmlessness 0.50\n")
    asked = Asked(world.policy("rewarded_soups"))
    one, other = (
        {k: v.clone() for k, v in asked.policy.at(w).state_dict().items() if "lora_B" in k}
        for w in ([0.305, 0.695], [0.3, 0.7])
    )
    assert any(not np.array_equal(one[key], other[key]) for key in one)


def test_single_experts_answer_side_by_side_and_hear_no_w(world, say):
    said = world.responses("rlhf")
    own = said[said["prompt_id"] == said["prompt_id"].iloc[0]]
    out = say("rlhf-s0", stdin=own["prompt"].iloc[0] + "\n")
    assert "the expert of helpfulness" in out and "the expert of harmlessness" in out
    assert all(response in out for response in own["response"])
    with pytest.raises(SystemExit, match="one policy per objective, and none of them hears w"):
        say("rlhf", "--w", "0.3", "0.7", "x")


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        (["0.3"], "1 number, but the policy has 2 objectives, helpfulness, harmlessness"),
        (["0.3", "0.3", "0.4"], "3 numbers, but the policy has 2 objectives"),
        (["-0.1", "1.1"], "the weight of helpfulness is -0.1, but must be 0 or more"),
        (["nan", "1"], "the weight of helpfulness is nan"),
        (
            ["0.3", "0.6"],
            "of helpfulness, harmlessness sum to 0.9, but must sum to 1; say --w 0.33",
        ),
        (["0", "0"], "sum to 0, but must sum to 1; say --w 0.50 0.50"),
    ],
)
def test_what_is_no_preference_is_refused_with_the_objectives_named(say, weights, why):
    with pytest.raises(SystemExit, match=why):
        say("mi_epo", "--w", *weights, "x")


def test_a_prompt_that_is_a_number_is_told_where_it_stands(say):
    with pytest.raises(SystemExit, match=r"w is 0\.3 0\.7 42: .* a number stands before --w"):
        say("mi_epo", "--w", "0.3", "0.7", "42")
    assert say("mi_epo", "42", "--w", "0.3", "0.7").startswith("w 0.3 0.7\n")


def test_without_a_preference_or_a_readable_prompt_it_says_what_to_say(world, say):
    with pytest.raises(SystemExit, match=r"such as --w 0\.50 0\.50 for helpfulness, harmlessness"):
        say("mi_epo", "x")
    with pytest.raises(SystemExit, match=r"loses .* characters(.|\n)*A prompt that it reads: \w+"):
        say("mi_epo", "--w", "0.5", "0.5", "Quetzalcoatl zymurgy")
    with pytest.raises(SystemExit, match="the prompt is empty"):
        say("mi_epo", "--w", "0.5", "0.5", stdin="\n")


def test_bytes_that_are_no_text_are_refused(say):
    pipe = io.TextIOWrapper(io.BytesIO(b"explain \xff"), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"the prompt is not UTF-8: 'explain \\udcff'"):
        say("mi_epo", "--w", "0.5", "0.5", stdin=pipe)
    with pytest.raises(SystemExit, match=r"the prompt is not UTF-8: 'explain \\udcff'"):
        say("mi_epo", "--w", "0.5", "0.5", "explain \udcff")  # as Python has such an argument


@pytest.mark.parametrize("seed", ["-5", "one"])
def test_a_seed_that_is_none_is_refused(say, capsys, seed):
    with pytest.raises(SystemExit, match="2"):
        say("mi_epo", "--w", "0.5", "0.5", "--seed", seed, "x")
    assert f"argument --seed: '{seed}' is not a whole number from 0" in capsys.readouterr().err


def test_a_prompt_that_is_cut_is_said_to_be(world, say):
    prompt = " ".join(["explain wiring this weekend"] * 30)
    left = Asked(world.policy("mi_epo")).answer(prompt, [0.5, 0.5], seed=0).left_out
    assert 0 < left < len(prompt)
    said = f"longer than the policy's 64 tokens: its first {left} characters were left out"
    assert said in say("mi_epo", "--w", "0.5", "0.5", prompt, err=True)


def test_a_conversation_goes_on_after_a_mistake_and_takes_other_preferences(say, monkeypatch):
    lines = iter(["explain wiring this weekend", "/w 0.2", "/w 0.2 0.8, 1 0", "explain wiring", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    out = say("mi_epo", "--w", "0.3", "0.7", stdin=Terminal())
    heads = [in_words(line) for line in out.splitlines() if line.startswith("w ")]
    assert heads == ["w 0.3 0.7", "w 0.2 0.8 w 1 0"]


def test_as_a_command_with_a_pipe(world):
    said = world.responses("mi_epo").iloc[0]
    weights = [str(said["w_helpfulness"]), str(said["w_harmlessness"])]
    done = subprocess.run(
        [sys.executable, SCRIPTS / "chat.py", "--policy", world.path("mi_epo"), "--w", *weights],
        input=said["prompt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert in_words(said["response"]) in in_words(done.stdout)
    assert done.stderr == "mi_epo, seed 0 (MI-EPO): tiny / safety; helpfulness, harmlessness\n"


def test_a_policy_whose_entries_are_gone_names_them(world, tmp_path):
    entry = world.policy("mo_odpo").inputs["policy"]
    moved = entry.rename(tmp_path / entry.name)
    try:
        with pytest.raises(JobError, match=rf"no longer has online/{entry.name}"):
            world.policy("mo_odpo")
    finally:
        moved.rename(entry)
