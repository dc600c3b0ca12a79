"""A user's file of responses: what is read of it, and what is refused with its row."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from moa.datasets.lines import read_lines
from moa.runtime.errors import JobError

OBJECTIVES = ["helpfulness", "harmlessness"]
ROW = {
    "prompt": "Why?",
    "w": [0.3, 0.7],
    "response": " So. ",
    "scores": {o: 1.5 for o in OBJECTIVES},
}


def written(folder: Path, rows: list[Any], name: str = "mine.jsonl") -> Path:
    path = folder / name
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def refused(path: Path, scores: bool = True) -> str:
    with pytest.raises(JobError) as caught:
        read_lines(path, OBJECTIVES, scores)
    return str(caught.value)


def test_the_three_forms_say_the_same(tmp_path: Path) -> None:
    rows = [
        {**ROW, "seed": 3, "more": "x"},
        {**ROW, "seed": 4.0, "w": [1, 0], "response": 'a "b",\nc'},
    ]
    plain = read_lines(written(tmp_path, rows), OBJECTIVES, scores=True)
    packed = read_lines(written(tmp_path, rows, "mine.jsonl.gz"), OBJECTIVES, scores=True)
    (tmp_path / "mine.csv").write_text(
        "seed,w,prompt,response,score_harmlessness,more,score_helpfulness\n"
        '3,0.3 0.7,Why?, So. ,1.5,x,1.5\n\n4,"[1, 0]",Why?,"a ""b"",\r\nc",1.5,,1.5\n'
    )
    table = read_lines(tmp_path / "mine.csv", OBJECTIVES, scores=True)
    assert plain.rows == packed.rows == table.rows and plain.scored and table.scored
    assert plain.rows[0] == {
        **{"row": 1, "seed": 3, "prompt": "Why?", "response": "So."},
        **{"w_helpfulness": 0.3, "w_harmlessness": 0.7},
        **{"raw_helpfulness": 1.5, "raw_harmlessness": 1.5},
    }
    assert plain.rows[1]["response"] == 'a "b",\nc'


def test_rows_are_lines_whatever_is_in_a_response(tmp_path: Path) -> None:
    odd = "a\u2028b\x85c\x0cd\r\ne"
    rows = [{**ROW, "response": odd}, "", {**ROW, "response": ""}]
    path = written(tmp_path, [json.dumps(row, ensure_ascii=False) if row else "" for row in rows])
    found = read_lines(path, OBJECTIVES, scores=False)
    assert [row["row"] for row in found.rows] == [1, 3] and found.scored
    assert found.rows[0]["response"] == "a\u2028b\x85c\x0cd\ne" and found.rows[1]["response"] == ""
    assert {row["seed"] for row in found.rows} == {0} and "raw_helpfulness" not in found.rows[0]


def test_a_mark_of_byte_order_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes("\ufeffprompt,w,response\nWhy?,1 0,So.\n".encode())
    assert not read_lines(tmp_path / "mine.csv", OBJECTIVES, scores=False).scored


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": None}, "no `prompt`"),
        ({"w": None, "response": None}, "no `w`, `response`"),
        ({"prompt": " \n"}, "the prompt is empty"),
        ({"prompt": 3}, "prompt is 3, not text"),
        ({"response": "\ud800"}, "half of a character"),
        ({"w": 0.3}, "w is 0.3, not 2 numbers"),
        ({"w": ["0.3", "0.7"]}, "w is ['0.3', '0.7'], not 2 numbers"),
        ({"w": [True, False]}, "w is [True, False], not 2 numbers"),
        ({"w": [float("nan"), 1]}, "w is [nan, 1], not 2 numbers"),
        (
            {"w": [0.2, 0.3, 0.5]},
            "w has 3 numbers, and there are 2 objectives: helpfulness, harmlessness",
        ),
        ({"w": [0.5, 0.6]}, "w is [0.5, 0.6]: weights are 0 or more, and sum to 1"),
        ({"w": [-0.5, 1.5]}, "weights are 0 or more"),
        ({"scores": None}, "no `scores`: give one number per objective"),
        ({"scores": [1, 2]}, "scores are [1, 2]: give one number per objective"),
        ({"scores": {"helpfulness": 1}}, "the score of harmlessness is missing"),
        ({"scores": {"helpfulness": 1, "harmlessness": "2"}}, "is '2', not a finite number"),
        (
            {"scores": {"helpfulness": float("inf"), "harmlessness": 2}},
            "is inf, not a finite number",
        ),
        ({"scores": {**ROW["scores"], "harmlessness": 10**400}}, "not a finite number"),
        (
            {"scores": {**ROW["scores"], "harmlessness": -1e160}},
            "the score of harmlessness is -1e+160: scores are from -1e+30 to 1e+30",
        ),
        ({"w": [10**400, 0]}, ", not 2 numbers"),
        ({"seed": 10**400}, "not a whole number from 0"),
        ({"seed": 1e300}, "seed is 1e+300, not a whole number from 0 to"),
        ({"seed": -1}, "seed is -1, not a whole number from 0"),
        ({"seed": 1.5}, "seed is 1.5, not a whole number"),
        ({"seed": "0"}, "seed is '0', not a whole number"),
        ({"seed": True}, "seed is True, not a whole number"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_with_its_number(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    rows = [{"seed": 0, **ROW}, {"seed": 0, **ROW, **change}]
    told = refused(written(tmp_path, rows))
    assert told.startswith(f"{tmp_path / 'mine.jsonl'}, row 2: ") and message in told
    assert "\n" not in told


def test_all_faults_are_told_at_once_and_equal_ones_together(tmp_path: Path) -> None:
    rows: list[Any] = [{**ROW, "w": [0.5, 0.6]}] + [{**ROW, "scores": None}] * 6
    told = refused(written(tmp_path, rows)).splitlines()
    assert len(told) == 2 and ", row 1: w is [0.5, 0.6]" in told[0]
    assert ", rows 2, 3, 4, 5 and 2 more: no `scores`" in told[1]
    many = [{**ROW, "w": [0.5, i]} for i in range(2, 20)]
    assert refused(written(tmp_path, many)).splitlines()[-1].endswith("and 8 more that is wrong")


def test_without_asking_for_scores_they_are_not_looked_at(tmp_path: Path) -> None:
    path = written(tmp_path, [{**ROW, "scores": "none of your business"}])
    assert read_lines(path, OBJECTIVES, scores=False).scored


def test_a_seed_is_given_to_all_rows_or_to_none(tmp_path: Path) -> None:
    told = refused(written(tmp_path, [{**ROW, "seed": 1}, ROW, ROW]))
    assert ", rows 2, 3: no `seed`, and other rows have one" in told


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.txt", "", "ends with none of .jsonl, .jsonl.gz, .csv"),
        ("mine.jsonl", "\n", "has no rows: it needs one per prompt and w"),
        ("mine.jsonl", '{"prompt": \n', "row 1: not JSON"),
        ("mine.jsonl", "[1, 2]\n", "row 1: not a JSON object"),
        ("mine.jsonl", b"\xe9", "is not in UTF-8 (byte 0xe9)"),
        ("mine.jsonl.gz", "plain", "cannot be unpacked"),
        (
            "mine.csv",
            "",
            "has no column prompt, w, response: its header, the first line, names nothing",
        ),
        ("mine.csv", "prompt,weights,response\n", "has no column w: its header"),
        ("mine.csv", "prompt,w,response\n", "has no rows"),
        ("mine.csv", "prompt,w,response,w\n", "has several columns w"),
        ("mine.csv", "prompt,w,response\na,1 0\n", "row 1: 2 cells, and the header has 3"),
        ("mine.csv", 'prompt,w,response\na,1 0,"b', "row 1: not csv"),
        ("mine.csv", "prompt,w,response\na,,b\n", "row 1: no `w`"),
        (
            "mine.csv",
            "prompt,w,response\na,half 0.5,b\n",
            "row 1: w is ['half', 0.5], not 2 numbers",
        ),
        (
            "mine.csv",
            "prompt,w,response,score_helpfulness\na,1 0,b,\n",
            "score of helpfulness is ''",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    told = refused(path)
    assert told.startswith(str(path)) and re.search(re.escape(message), told), told


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
@pytest.mark.parametrize("name", ["mine.jsonl", "mine.jsonl.gz", "mine.csv"])
def test_another_unicode_encoding_is_named_as_what_it_is(
    tmp_path: Path, name: str, encoding: str
) -> None:
    text = "prompt,w,response\nWhy?,1 0,So.\n" if name.endswith("csv") else json.dumps(ROW)
    content = text.encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    told = refused(tmp_path / name)
    assert f"is in {encoding.upper()}, not UTF-8" in told
    assert f"`iconv -f {encoding.upper()} -t UTF-8`" in told


def test_a_response_of_a_csv_may_be_long(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(f"prompt,w,response\nWhy?,1 0,{'so ' * 100_000}\n")
    found = read_lines(tmp_path / "mine.csv", OBJECTIVES, scores=False)
    assert len(found.rows[0]["response"]) == 299_999


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "mine.csv")
