"""The split by prompt: seeded, and prompts that count as one are on one side of it."""

import json
import unicodedata

import pandas as pd
import pytest

import prepare_data
from moa.datasets.distinct import spellings, split_prompts
from moa.runtime.errors import JobError
from moa.runtime.publishing import Job


def test_the_split_is_by_prompt_seeded_and_refuses_what_is_not_there():
    prompts = [f"p{i % 10}" for i in range(20)]
    split = split_prompts(prompts, 6, 3, seed=0)
    assert split == split_prompts(prompts, 6, 3, seed=0) != split_prompts(prompts, 6, 3, seed=1)
    assert split[:10] == split[10:]
    assert (split.count("train"), split.count("test"), split.count(None)) == (12, 6, 2)
    with pytest.raises(JobError, match=r"n_train 8 \+ n_test 3 is more than the 10 distinct"):
        split_prompts(prompts, 8, 3, seed=0)


def test_all_prompts_that_the_test_split_leaves_can_be_trained_on():
    prompts = [f"p{i % 10}" for i in range(25)]
    split = split_prompts(prompts, None, 4, seed=0)
    assert split == split_prompts(prompts, 6, 4, seed=0)
    assert None not in split
    with pytest.raises(JobError, match=r"n_test 10 leaves nothing to train on of the 10 distinct"):
        split_prompts(prompts, None, 10, seed=0)


VARIANTS = [
    "Who is Zoë?",
    "who is zoë",
    "Who  is\nZoë ?!",
    unicodedata.normalize("NFD", "Who is Zoë?"),
]


@pytest.mark.parametrize("variant", VARIANTS[1:])
def test_prompts_that_differ_in_spelling_alone_are_on_one_side(variant):
    prompts = [p for i in range(20) for p in (f"{i}: {VARIANTS[0]}", f"{i}: {variant}")]
    split = split_prompts(prompts, 10, 10, seed=0)
    assert split[::2] == split[1::2] and set(split) == {"train", "test"}
    assert len(set(spellings(prompts))) == 20 and set(spellings(prompts)) <= set(prompts)


def test_other_words_are_other_prompts():
    prompts = ["Explain C", "Explain C#", "Explain C++", "Explain 1.5", "Explain 15", "?", "!"]
    assert spellings(prompts) == prompts


def test_no_spelling_of_a_test_prompt_is_trained_on_and_each_prompt_is_evaluated_once(
    tmp_path,
):
    rows = [
        {
            "chosen": f"\n\nHuman: {i}: {x}\n\nAssistant: a",
            "rejected": f"\n\nHuman: {i}: {x}\n\nAssistant: b",
        }
        for i in range(10)
        for x in VARIANTS
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"kind": "hh_rlhf", "source": str(tmp_path / "rows.jsonl"), "split": "train"}
    data |= {"revision": "main", "n_train": 6, "n_test": 4, "split_seed": 0}
    prepare_data.main(Job({"params": {"data": data}}, {}, tmp_path, tmp_path))
    frame = pd.read_parquet(tmp_path / "data.parquet")
    assert len(frame) == 40 and frame.groupby("prompt_id").size().eq(4).all()
    assert frame.groupby("prompt_id")["split"].nunique().eq(1).all()
    assert frame.groupby("split")["prompt_id"].nunique().to_dict() == {"test": 4, "train": 6}
