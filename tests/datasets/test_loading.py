"""The loaders, on rows made up in the real schemas, and on the real HH sample where it is at hand."""

import gzip
import json
import lzma
from collections import Counter

import pytest

from moa.datasets import load_hh_rlhf, load_pku_saferlhf
from moa.datasets.records import to_dataset
from moa.runtime.errors import JobError
from support.paths import REPO

REAL = REPO.parent / "shared/data/hh-rlhf/harmless-base-sample.jsonl.gz"
TURNS = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: What is 2 + 2?\n\nAssistant:"
STARTED_WITH_NOTHING = "\n\nHuman:\n\nAssistant: Hello.\n\nHuman: Hi\n\nAssistant:"
ASKED_NOTHING = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman:\n\nAssistant:"


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
        (ASKED_NOTHING + " c", ASKED_NOTHING + " d", "the last human turn is empty"),
        (STARTED_WITH_NOTHING + " c", STARTED_WITH_NOTHING + " d", "the first human turn is empty"),
        ([{"role": "user", "content": "Hi"}], TURNS + " 5", "chosen is not text but of type list"),
        (4, TURNS + " 5", "chosen is not text but of type int"),
        (TURNS + " Four.", float("nan"), "no rejected"),
        (TURNS + " \ud83d", TURNS + " 5", "chosen has half of a character"),
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
        pku(prompt="How?\nAssistant: "),
        pku(response_1=""),
        pku(better_response_id=2),
        pku(safer_response_id=None),
        pku(is_response_0_safe="perhaps"),
        pku(response_0={"role": "assistant"}),
        pku(prompt="\ud83d"),
    ]
    dropped = Counter()
    assert len(load_pku_saferlhf(jsonl(tmp_path / "a.jsonl", [pku(), *bad]), dropped=dropped)) == 1
    assert dropped == {
        "no prompt": 1,
        "the prompt ends with a speaker mark": 1,
        "empty response": 1,
        "better_response_id is neither 0 nor 1, false nor true": 1,
        "no safer_response_id": 1,
        "is_response_0_safe is neither 0 nor 1, false nor true": 1,
        "response_0 is not text but of type dict": 1,
        "prompt has half of a character (a lone surrogate)": 1,
    }


@pytest.mark.parametrize("one", [1, 1.0, True, "True", "1"])
def test_labels_have_one_meaning_in_whatever_form(tmp_path, one):
    """A gap in a column makes 1.0 of its 1, another program writes true or "True"."""
    rows = [
        pku(),
        pku(better_response_id=one, is_response_1_safe=one),
        pku(better_response_id=None),
    ]
    dropped = Counter()
    first, second = load_pku_saferlhf(jsonl(tmp_path / "a.jsonl", rows), dropped=dropped)
    assert first["chosen"] == "So." and dropped == {"no better_response_id": 1}
    assert second["chosen"] == "No." and second["safer"] is True
    assert second["chosen_is_safe"] is True and second["rejected_is_safe"] is False


def test_flags_of_safety_may_be_missing(tmp_path):
    rows = [pku(is_response_0_safe=None, is_response_1_safe=float("nan"))]
    (row,) = load_pku_saferlhf(jsonl(tmp_path / "a.jsonl", rows))
    assert row["chosen_is_safe"] is row["rejected_is_safe"] is None


@pytest.mark.parametrize("line_break", ["\r\n", "\r"])
def test_line_breaks_of_other_systems_are_line_breaks(tmp_path, line_break):
    row = {"chosen": TURNS + " Four.\nYes.", "rejected": TURNS + " 5"}
    other = {name: text.replace("\n", line_break) for name, text in row.items()}
    (expected,) = load_hh_rlhf(jsonl(tmp_path / "a.jsonl", [row]))
    (found,) = load_hh_rlhf(jsonl(tmp_path / "b.jsonl", [other]))
    assert found == expected and found["chosen"] == "Four.\nYes."


def test_records_of_any_loader_are_texts_or_counted():
    dropped = Counter()
    good = {"prompt": "a\r\nb", "chosen": "c", "rejected": None, "source": 4}
    bad = [{**good, "prompt": 4}, {**good, "chosen": "\ud83d"}, {**good, "rejected": ["d"]}]
    (row,) = to_dataset([good, *bad], dropped)
    assert row == {**good, "prompt": "a\nb"} and dropped.total() == 3


def test_a_source_of_which_no_row_can_be_used_is_named_with_the_reasons(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", [pku(), pku()])
    with pytest.raises(JobError, match=r"no row of .*a\.jsonl can be used \(2 times 'no chosen'\)"):
        load_hh_rlhf(path)
    with pytest.raises(JobError, match=r"can be used \(it has no rows\)"):
        load_hh_rlhf(jsonl(tmp_path / "b.jsonl", []))


def test_one_response_is_enough_but_an_empty_one_is_not():
    dropped = Counter()
    rows = [
        {"prompt": "a", "chosen": "b", "rejected": None},
        {"prompt": "a", "chosen": "b", "rejected": ""},
    ]
    assert len(to_dataset(rows, dropped)) == 1
    assert dropped == {"empty response": 1}


@pytest.mark.parametrize("nothing", [" \t", "\u200b", "\ufeff \u200d", "\u00ad\u00a0", "\x00"])
def test_what_nobody_can_see_is_empty(nothing):
    dropped = Counter()
    row = {"prompt": "a", "chosen": "b", "rejected": None}
    family = {**row, "chosen": "\U0001f468\u200d\U0001f469"}  # joined by a mark of zero width
    bad = [{**row, "chosen": nothing}, {**row, "prompt": nothing}]
    assert to_dataset([row, family, *bad], dropped)["chosen"] == ["b", family["chosen"]]
    assert dropped == {"empty response": 1, "no prompt": 1}
