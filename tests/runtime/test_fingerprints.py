"""A local path's fingerprint changes with what is there and with nothing else."""

import os
import shutil

import pytest

from moa.runtime.fingerprints import BLOCK, WHOLE, fingerprint


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "part").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "part" / "weights").write_bytes(bytes(WHOLE + 4 * BLOCK))
    return folder


def change(path, at):
    with open(path, "r+b") as handle:
        handle.seek(at)
        handle.write(b"1")
    os.utime(path, (at, at))  # even a clock that stands still shows a change


def test_a_copy_elsewhere_has_the_same_fingerprint(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "copy")
    os.utime(copy / "config.json", (0, 0))
    linked = tmp_path / "linked"
    linked.symlink_to(copy)
    assert fingerprint(model) == fingerprint(copy) == fingerprint(linked)


def test_names_and_small_contents_count(model):
    seen = [fingerprint(model)]
    (model / "config.json").write_text("[]")
    seen.append(fingerprint(model))
    (model / "config.json").rename(model / "config")
    seen.append(fingerprint(model))
    (model / "config").unlink()
    seen.append(fingerprint(model))
    assert len(set(seen)) == 4


@pytest.mark.parametrize("at", [0, WHOLE + 4 * BLOCK - 1, (WHOLE + 3 * BLOCK) // 15])
def test_the_ends_and_blocks_between_of_a_large_file_count(model, at):
    before = fingerprint(model)
    change(model / "part" / "weights", at)
    assert fingerprint(model) != before


def test_the_size_of_a_large_file_counts(model):
    before = fingerprint(model)
    with open(model / "part" / "weights", "ab") as handle:
        handle.write(bytes(1))
    assert fingerprint(model) != before


def test_hidden_files_do_not_count(model):
    before = fingerprint(model)
    (model / ".cache").mkdir()
    (model / ".cache" / "lock").write_text("x")
    assert fingerprint(model) == before


def test_a_file_counts_by_its_content_not_by_its_name(tmp_path):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text("{}")
    second.write_text("{}")
    assert fingerprint(first) == fingerprint(second) is not None


def test_where_nothing_is_there_is_no_fingerprint(tmp_path):
    assert fingerprint(tmp_path / "none") is None
