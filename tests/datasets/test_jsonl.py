"""Rows of one's own: what is kept, and what is said, with its line, of what is not."""

import gzip
import json
import logging
from collections import Counter

import pytest

from moa.datasets.jsonl import load
from moa.runtime.errors import JobError
from moa.runtime.fingerprints import whole_digest

GOOD = {"prompt": " Hi? ", "chosen": "Hello.\r\n", "rejected": "No.", "label": 3}


def written(path, rows):
    text = "".join(json.dumps(row) + "\n" if isinstance(row, dict) else row for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def loaded(file, dropped=None, responses="file", **contents):
    params = {"path": str(file), "responses": responses, "contents": contents}
    return load(params, Counter() if dropped is None else dropped)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_rows_are_stripped_and_other_fields_are_not_read(tmp_path, name):
    path = written(tmp_path / name, [GOOD, {"prompt": "A", "chosen": "b"}])
    assert list(loaded(path)) == [
        {"prompt": "Hi?", "chosen": "Hello.", "rejected": "No."},
        {"prompt": "A", "chosen": "b", "rejected": None},
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"chosen": "a"}, "no prompt"),
        ({"prompt": " ", "chosen": "a"}, "no prompt"),
        ({"prompt": 3, "chosen": "a"}, "prompt is not text but of type int"),
        ({"prompt": "a\n\nHuman:", "chosen": "a"}, "the prompt ends with a speaker mark"),
        ({"prompt": "a", "chosen": " "}, "empty response"),
        ({"prompt": "a", "chosen": "b", "rejected": ""}, "empty response"),
        ({"prompt": "a", "chosen": ["b"]}, "chosen is not text but of type list"),
        ({"prompt": "a", "rejected": "b"}, "no chosen"),
        (
            {"prompt": "a"},
            "no chosen (for prompts alone, set responses: base under the task's data)",
        ),
    ],
)
def test_a_faulty_row_is_dropped_counted_and_named_by_its_line(tmp_path, caplog, row, reason):
    path = written(tmp_path / "rows.jsonl", [GOOD, "\n", row, GOOD, row])
    dropped = Counter()
    with caplog.at_level(logging.INFO):
        assert len(loaded(path, dropped)) == 2
    assert dropped == {reason: 2}
    assert f"{path}: 2 rows dropped, {reason}: lines 3, 5" in caplog.text


def test_without_a_row_that_can_be_used_the_reason_is_the_message(tmp_path):
    path = written(tmp_path / "rows.jsonl", [{"prompt": "a"}] * 3)
    with pytest.raises(JobError, match=r"no row of .*rows.jsonl .*3 times .*responses: base"):
        loaded(path)


def test_of_prompts_alone_the_base_is_asked_and_responses_are_not_read(tmp_path):
    dropped = Counter()
    path = written(tmp_path / "rows.jsonl", [GOOD, {"prompt": "A"}, {"prompt": ""}])
    found = loaded(path, dropped, responses="base")
    assert found["prompt"] == ["Hi?", "A"] and dropped == {"no prompt": 1}
    assert found["chosen"] == found["rejected"] == [None, None]


def test_a_line_that_is_no_object_stops_the_job_with_its_number(tmp_path):
    with pytest.raises(JobError, match=r"rows.jsonl, line 2: not a JSON object"):
        loaded(written(tmp_path / "rows.jsonl", [GOOD, "[]\n"]))


def test_a_file_that_is_not_as_it_was_planned_with_is_refused(tmp_path):
    path = written(tmp_path / "rows.jsonl", [GOOD])
    planned = whole_digest(path)
    assert len(loaded(path, path=planned)) == 1
    written(path, [GOOD, GOOD])
    with pytest.raises(JobError, match=r"rows.jsonl has changed since this run was planned.*again"):
        loaded(path, path=planned)
    path.unlink()
    with pytest.raises(JobError, match=r"rows.jsonl: there is no such file.*beside the config"):
        loaded(path, path=planned)
