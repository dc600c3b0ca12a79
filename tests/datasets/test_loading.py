"""The loaders, on rows made up in the real schemas, and on the real HH sample where it is at hand."""

import gzip
import json
import lzma
from collections import Counter

import pytest

from moa.datasets import load_hh_rlhf, load_pku_saferlhf
from moa.datasets.records import split_prompts, to_dataset
from moa.runtime.errors import JobError
from support.paths import REPO

REAL = REPO.parent / "shared/data/hh-rlhf/harmless-base-sample.jsonl.gz"
TURNS = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: What is 2 + 2?\n\nAssistant:"


def jsonl(path, rows):
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "wt", encoding="utf-8") as handle:
        handle.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def test_hh_keeps_the_turns_and_strips_the_responses(tmp_path):
    path = jsonl(tmp_path / "a.jsonl.gz", [{"chosen": TURNS + " Four. ", "rejected": TURNS + "5"}])
    (row,) = load_hh_rlhf(path)
    assert row == {
        "prompt": "Hi\n\nAssistant: Hello.\n\nHuman: What is 2 + 2?",
        "chosen": "Four.",
        "rejected": "5",
    }


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        (TURNS + " Four.", TURNS.replace("Hi", "Hey") + " 5", "do not share their prompt"),
        (TURNS + " Four.", TURNS, "empty response"),
        (TURNS + " Four.", None, "no rejected"),
        ("\n\nHuman: Hi", TURNS + "5", "no final assistant turn"),
        ("Hi\n\nHuman: a\n\nAssistant: b", TURNS + "5", "text before the first"),
        ("\n\nHuman: a\n\nHuman: b\n\nAssistant: c", TURNS + "5", "do not alternate"),
        ("\n\nHuman: \n\nAssistant: c", "\n\nHuman: \n\nAssistant: d", "no prompt"),
    ],
)
def test_irregular_hh_rows_are_dropped_and_counted(tmp_path, chosen, rejected, reason):
    good = {"chosen": TURNS + " Four.", "rejected": TURNS + " 5"}
    path = jsonl(tmp_path / "a.jsonl", [good, {"chosen": chosen, "rejected": rejected}])
    dropped = Counter()
    assert len(load_hh_rlhf(path, dropped=dropped)) == 1
    assert sum(dropped.values()) == 1 and reason in next(iter(dropped))


def test_the_real_hh_sample():
    if not REAL.exists():
        pytest.skip(f"the HH-RLHF sample is not at {REAL}")
    dropped = Counter()
    rows = load_hh_rlhf(REAL, dropped=dropped)
    with gzip.open(REAL, "rt") as handle:
        raw = [json.loads(line) for line in handle]
    assert len(rows) + sum(dropped.values()) == len(raw)
    assert len(rows) >= 0.98 * len(raw)
    transcripts = {r["chosen"].strip() for r in raw}
    for row in rows:
        assert f"Human: {row['prompt']}\n\nAssistant: {row['chosen']}".strip() in transcripts
        assert not row["prompt"].endswith(("Human:", "Assistant:"))


def pku(**changes):
    return {
        "prompt": "How?",
        "response_0": "So.",
        "response_1": "No.",
        "is_response_0_safe": False,
        "is_response_1_safe": True,
        "better_response_id": 0,
        "safer_response_id": 1,
        **changes,
    }


def test_pku_chosen_is_the_better_response(tmp_path):
    path = jsonl(tmp_path / "a.jsonl.xz", [pku(), pku(better_response_id=1)])
    first, second = load_pku_saferlhf(path)
    assert (first["chosen"], first["rejected"], first["safer"]) == ("So.", "No.", False)
    assert (first["chosen_is_safe"], first["rejected_is_safe"]) == (False, True)
    assert (second["chosen"], second["rejected"], second["safer"]) == ("No.", "So.", True)


def test_irregular_pku_rows_are_dropped_and_counted(tmp_path):
    bad = [
        pku(prompt=" "),
        pku(response_1=""),
        pku(better_response_id=2),
        pku(safer_response_id=None),
    ]
    dropped = Counter()
    assert len(load_pku_saferlhf(jsonl(tmp_path / "a.jsonl", [pku(), *bad]), dropped=dropped)) == 1
    assert dropped == {
        "no prompt": 1,
        "empty response": 1,
        "a response id is neither 0 nor 1": 1,
        "no safer_response_id": 1,
    }


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"chosen": "x"}\nnot json\n')
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2: not JSON"):
        list(load_pku_saferlhf(path))


def test_one_response_is_enough_but_an_empty_one_is_not():
    dropped = Counter()
    rows = [
        {"prompt": "a", "chosen": "b", "rejected": None},
        {"prompt": "a", "chosen": "b", "rejected": ""},
    ]
    assert len(to_dataset(rows, dropped)) == 1
    assert dropped == {"empty response": 1}


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
    with pytest.raises(JobError, match=r"n_test 10 is more than the 10 distinct"):
        split_prompts(prompts, None, 10, seed=0)
