"""Files of rows: what is read, and what a message says where nothing can be."""

import codecs
import gzip
import json
import re

import pytest

from moa.datasets.reading import read_rows
from moa.runtime.errors import JobError

ROWS = [{"prompt": "é"}, {"prompt": "日本\n"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def read(source, split="train"):
    return list(read_rows(source, split, "main", None))


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.rstrip(),
        LINES + b"\n",
        b"\n" + LINES.replace(b"\n", b"\n \n"),
        codecs.BOM_UTF8 + LINES,
        LINES.replace(b"\n", b"\r\n"),
    ],
    ids=["plain", "no_last_break", "blank_last_line", "blank_lines", "bom", "crlf"],
)
def test_a_mark_at_the_start_and_blank_lines_are_no_rows(tmp_path, content):
    (tmp_path / "a.jsonl").write_bytes(content)
    assert read(tmp_path / "a.jsonl") == ROWS


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"not json", r"line 2: not JSON \(Expecting value at character 1\); .*one JSON object"),
        (b'["a"]', "line 2: not a JSON object; .*one JSON object per line"),
        (
            '{"prompt": "é"}'.encode("latin-1"),
            r"line 2: not UTF-8 \(byte 0xe9 at 13\); find out .*iconv",
        ),
    ],
)
def test_a_broken_line_is_named_with_the_form_that_is_expected(tmp_path, line, said):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"prompt": "x"}\n' + line + b"\n")
    with pytest.raises(JobError, match=rf"{path}, {said}"):
        read(path)


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"a": ' + b"1" * 5000 + b"}"], ids=len)
def test_a_line_that_json_gives_up_on_is_named(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_bytes(line)
    with pytest.raises(JobError, match=rf"{path}, line 1: not JSON that can be read"):
        read(path)


@pytest.mark.parametrize("ending", ["gz", "xz"])
@pytest.mark.parametrize("content", [LINES, gzip.compress(LINES)[:-20]], ids=["plain", "cut"])
def test_a_packed_file_that_is_none_is_named(tmp_path, ending, content):
    path = tmp_path / f"a.jsonl.{ending}"
    path.write_bytes(content)
    with pytest.raises(JobError, match=rf"{path} cannot be unpacked .*ending \.{ending} says"):
        read(path)


@pytest.mark.parametrize("name", ["rows.json", "rows.csv", "rows"])
def test_a_file_of_another_form_is_refused_with_the_forms_that_are_read(
    tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab").mkdir()
    for path in (name, f"lab/{name}", str(tmp_path / name)):  # some could be a hub's id
        (tmp_path / path).write_text("[]")
        with pytest.raises(JobError, match=r"must end in \.jsonl, \.jsonl\.gz, .*or put it into a"):
            read(path)


def test_a_folder_has_the_splits_that_its_files_name(tmp_path):
    for split, row in zip(("train", "test"), ROWS, strict=True):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
        assert read(tmp_path, split) == [row]
    with pytest.raises(JobError, match=r"split 'dev', cannot be read: .*Available splits"):
        read(tmp_path, "dev")


@pytest.mark.parametrize("content", [b"", b"not json\n", b'{"prompt": "\xe9"}\n'])
def test_a_folder_whose_files_cannot_be_read_is_named(tmp_path, content):
    (tmp_path / "train.jsonl").write_bytes(content)
    with pytest.raises(JobError, match=rf"{tmp_path}, split 'train', cannot be read"):
        read(tmp_path)


def test_a_single_file_has_no_split_but_the_default_one(tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_bytes(LINES)
    with pytest.raises(JobError, match=r"a single file and has no split 'test': leave `split` out"):
        read(path, "test")


@pytest.mark.parametrize("mark", [True, False], ids=["mark", "no_mark"])
@pytest.mark.parametrize("name", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_file_of_another_unicode_encoding_is_named_with_a_mend_that_mends(tmp_path, name, mark):
    path = tmp_path / "a.jsonl"
    text = LINES.decode()
    path.write_bytes(
        (text if name[-2:] in {"16", "32"} or not mark else f"\ufeff{text}").encode(name)
    )
    with pytest.raises(JobError, match=r"line 1: in UTF-(16|32).*, not UTF-8") as caught:
        read(path)
    asked, into = re.search(r"iconv -f (\S+) -t (\S+)`", str(caught.value)).groups()
    path.write_bytes(path.read_bytes().decode(asked).encode(into))
    assert read(path) == ROWS
