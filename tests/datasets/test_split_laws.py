"""Laws of the split: spellings of a prompt stay together, whatever order the rows are in."""

from __future__ import annotations

import json
import tempfile
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prepare_data
from moa.datasets.distinct import MARKS, normal, spellings, split_prompts
from moa.runtime.errors import JobError
from moa.runtime.publishing import Job

LETTERS = "aZé ßΣςωйЖ日한ﬁñÅ09#+'-"
WORDS = st.text(LETTERS, min_size=1, max_size=12).filter(str.strip)
SPELL = [
    str.upper,
    str.lower,
    str.title,
    str.swapcase,
    *(lambda p, form=form: unicodedata.normalize(form, p) for form in ("NFC", "NFD")),
    lambda p: f" {p}\n",
    lambda p: p.replace(" ", "\t \u00a0"),
    *(lambda p, mark=mark: f"{p}{mark}" for mark in ("?", " !?", "…", "。", " .\n")),
]
RANDOM = st.randoms(use_true_random=False)


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[str], int]:
    """Prompts, each in one spelling or more, in any order; and how many of them are different."""
    words = draw(st.lists(WORDS, min_size=3, max_size=8, unique_by=normal))
    found = [word for word in words]
    for word in words:
        for how in draw(st.lists(st.lists(st.sampled_from(SPELL), max_size=3), max_size=3)):
            spelled = word
            for change in how:
                spelled = change(spelled)
            found.append(spelled)
    return draw(st.permutations(found)), len(words)


@given(WORDS, st.lists(st.sampled_from(SPELL), max_size=4))
def test_a_prompt_is_one_in_all_its_spellings(prompt, changes):
    spelled = prompt
    for change in changes:
        spelled = change(spelled)
    assert normal(spelled) == normal(prompt)


@given(st.text(max_size=12), st.sampled_from(["NFC", "NFD"]), st.text(MARKS, max_size=3))
def test_any_text_is_one_in_both_compositions_and_however_it_ends(prompt, form, marks):
    assert normal(unicodedata.normalize(form, prompt)) == normal(prompt)
    if normal(prompt).strip(f" {MARKS}"):
        assert normal(f" {prompt} {marks}") == normal(prompt)


@given(rows(), st.integers(0, 2**32), st.data())
def test_a_split_has_the_sizes_asked_for_and_no_prompt_on_two_sides(made, seed, data):
    prompts, distinct = made
    n_test = data.draw(st.integers(1, distinct - 1))
    n_train = data.draw(st.none() | st.integers(1, distinct - n_test))
    split = split_prompts(prompts, n_train, n_test, seed)
    sides = {
        side: {normal(p) for p, s in zip(prompts, split, strict=True) if s == side}
        for side in ("train", "test", None)
    }
    assert len(sides["test"]) == n_test
    assert len(sides["train"]) == (distinct - n_test if n_train is None else n_train)
    assert sum(map(len, sides.values())) == distinct, "a prompt is on two sides"
    with pytest.raises(JobError, match="distinct prompts"):
        split_prompts(prompts, distinct, 1, seed)


@given(rows(), st.integers(0, 2**32), RANDOM)
def test_the_order_of_rows_does_not_matter(made, seed, random):
    prompts, distinct = made
    order = random.sample(range(len(prompts)), len(prompts))
    mixed = [prompts[i] for i in order]
    for n_train in (None, distinct // 2):
        split = split_prompts(prompts, n_train, 1, seed)
        assert split_prompts(mixed, n_train, 1, seed) == [split[i] for i in order]
    assert spellings(mixed) == [spellings(prompts)[i] for i in order]


@settings(max_examples=15)
@given(rows(), st.integers(0, 99))
def test_prepared_data_has_one_id_and_one_side_per_prompt(made, seed):
    prompts, distinct = made
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        lines = [json.dumps({"prompt": p} | PKU) + "\n" for p in prompts]
        (out / "rows.jsonl").write_text("".join(lines))
        data = {"kind": "pku_saferlhf", "source": str(out / "rows.jsonl"), "split": "train"}
        data |= {"revision": "main", "n_train": None, "n_test": 2, "split_seed": seed}
        prepare_data.main(Job({"params": {"data": data}}, {}, out, out))
        frame = pd.read_parquet(out / "data.parquet")
    assert len(frame) == len(prompts)
    frame["normal"] = frame["prompt"].map(normal)
    assert frame["normal"].nunique() == frame["prompt_id"].nunique() == distinct
    for one in ("normal", "prompt_id"):
        assert frame.groupby(one)[["normal", "prompt_id", "split"]].nunique().eq(1).all(axis=None)
    assert frame.groupby("split")["prompt_id"].nunique()["test"] == 2


PKU = {
    "response_0": "So.",
    "response_1": "No.",
    "better_response_id": 0,
    "safer_response_id": 1,
}
