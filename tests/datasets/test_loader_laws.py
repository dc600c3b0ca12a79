"""Laws of the loaders: whatever is in a file of rows, what comes out is clean, and the rest is counted."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from moa.datasets import load_hh_rlhf, load_pku_saferlhf
from moa.datasets.reading import read_rows
from moa.runtime.errors import JobError

BREAKS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\r\n", " "])
WORDS = st.sampled_from(["Human:", "Assistant:", "a", "é", "日本", "\u2028"]) | st.text(
    st.characters(codec="utf-8"), max_size=4
)
TEXTS = st.lists(BREAKS | WORDS, max_size=5).map("".join)
OTHER = (
    st.sampled_from([None, math.nan, "\ud83d"]) | st.integers() | st.lists(st.text(), max_size=1)
)
DANGLING = re.compile(r"(?:^|\s)(?:Human|Assistant):\s*$")
GOOD_TURNS = "\n\nHuman: Hi\n\nAssistant:"


@st.composite
def transcripts(draw: st.DrawFn) -> str:
    gap = draw(st.sampled_from(["\n\n", "\n\n", "\r\n\r\n", "\r\r", "\n"]))
    turns = draw(st.integers(1, 2)) * ["Human", "Assistant"] + draw(
        st.sampled_from([*[[]] * 8, ["Human"], ["Assistant"]])
    )
    return "".join(f"{gap}{speaker}:{draw(TEXTS)}" for speaker in turns)


@st.composite
def hh_rows(draw: st.DrawFn) -> dict[str, Any]:
    start = draw(transcripts())
    row = {
        "chosen": start + draw(TEXTS),
        "rejected": draw(st.just(start) | transcripts()) + draw(TEXTS),
    }
    return changed(draw, row)


FLAGS = {
    0: [0, 0.0, False, "0", "0.0", " false", "FALSE"],
    1: [1, 1.0, True, "1", "1.0", "True "],
}
ANY_FLAG = st.sampled_from([*FLAGS[0], *FLAGS[1], None, math.nan, 2, -1, "yes", "", [], {}])


@st.composite
def pku_rows(draw: st.DrawFn) -> dict[str, Any]:
    texts = {name: draw(TEXTS) for name in ("prompt", "response_0", "response_1")}
    flags = ("better_response_id", "safer_response_id", "is_response_0_safe", "is_response_1_safe")
    return changed(draw, texts | {name: draw(ANY_FLAG) for name in flags})


def changed(draw: st.DrawFn, row: dict[str, Any]) -> dict[str, Any]:
    """Now and then without a field, or with something else in it."""
    name = draw(st.sampled_from(sorted(row)))
    how = draw(st.sampled_from([*["left"] * 8, "other", "gone"]))
    if how == "other":
        return row | {name: draw(OTHER)}
    return {k: v for k, v in row.items() if how == "left" or k != name}


def loaded(load: Callable, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], Counter[str]]:
    dropped: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return list(load(path, dropped=dropped)), dropped


def check_clean(records: list[dict[str, Any]]) -> None:
    for record in records:
        for name in ("prompt", "chosen", "rejected"):
            assert record[name].strip() == record[name] != ""
            assert "\r" not in record[name]
        assert not DANGLING.search(record["prompt"])


@given(st.lists(hh_rows(), max_size=4))
def test_hh_rows_come_out_clean_or_are_counted(rows):
    good = {"chosen": GOOD_TURNS + " a", "rejected": GOOD_TURNS + " b"}
    records, dropped = loaded(load_hh_rlhf, [*rows, good])
    assert len(records) + dropped.total() == len(rows) + 1
    check_clean(records)
    for record in records:
        speakers = re.findall(r"\n\n(Human|Assistant):", record["prompt"])
        assert speakers == ["Assistant", "Human"] * (len(speakers) // 2)
        for name in ("chosen", "rejected"):
            assert not re.search(r"\n\n(Human|Assistant):", record[name])


@given(st.lists(pku_rows(), max_size=4), st.sampled_from([0, 1]), st.data())
def test_pku_rows_come_out_clean_or_are_counted(rows, better, data):
    good = {"prompt": "How?", "response_0": "zero", "response_1": "one"}
    good["better_response_id"] = data.draw(st.sampled_from(FLAGS[better]))
    good["safer_response_id"] = data.draw(st.sampled_from(FLAGS[1]))
    records, dropped = loaded(load_pku_saferlhf, [*rows, good])
    assert len(records) + dropped.total() == len(rows) + 1
    check_clean(records)
    assert records[-1]["chosen"] == ["zero", "one"][better]
    assert records[-1]["safer"] is (better == 1)
    for record in records:
        assert isinstance(record["safer"], bool)
        assert record["chosen_is_safe"] in (True, False, None)


LINES = st.one_of(
    st.binary(max_size=12),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        ),
        max_leaves=4,
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"\xef\xbb\xbf{}", b"{}\r", b"[", b'{"a": 1}']),
)


@given(st.lists(LINES, max_size=4))
def test_any_file_is_rows_or_a_line_is_named(lines):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_bytes(b"\n".join(lines))
        try:
            rows = list(read_rows(path, "train", "main", None))
        except JobError as error:
            assert re.search(r"rows\.jsonl, line \d+: not ", str(error))
        else:
            assert all(isinstance(row, dict) for row in rows)
