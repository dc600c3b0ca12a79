"""Publishing is all or nothing."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from moa.runtime.files import file_digest
from moa.runtime.publishing import is_published, publishing, read_manifest, work_folder
from support.paths import SCRIPTS


def spec(**fields):
    return {
        "stage": "data",
        "name": "x",
        "params": {},
        "seed": None,
        "inputs": {},
        "operation": {},
        **fields,
    }


def test_a_published_entry_is_whole(store):
    out = store / "data" / "x-0123456789ab"
    with publishing(spec(params={"a": 1}), out) as job:
        assert not out.exists()
        (job.out / "sub").mkdir()
        (job.out / "sub" / "value.txt").write_text("42")
        job.notes["dropped"] = {"no prompt": 3}
    manifest = read_manifest(out)
    assert manifest["files"]["sub/value.txt"] == file_digest(out / "sub" / "value.txt")
    assert manifest["key"] == "0123456789ab"
    assert manifest["notes"] == {"dropped": {"no prompt": 3}}
    assert {"git_commit", "hardware", "versions", "wall_seconds", "max_rss_mb"} <= set(manifest)
    assert json.loads((out / "spec.json").read_text())["params"] == {"a": 1}
    assert not work_folder(store, "0123456789ab").exists()


def test_a_failed_job_publishes_nothing_and_keeps_its_checkpoints(store):
    out = store / "data" / "x-0123456789ab"
    with pytest.raises(RuntimeError), publishing(spec(), out) as job:
        job.checkpoints.mkdir()
        (job.checkpoints / "step-1").write_text("")
        (job.out / "half").write_text("")
        raise RuntimeError("died")
    assert not out.exists()
    with publishing(spec(), out) as job:
        assert (job.checkpoints / "step-1").exists()
        assert not (job.out / "half").exists()
    assert is_published(out)


def test_an_entry_made_anew_replaces_the_old_and_an_empty_folder_is_no_result(store):
    out = store / "data" / "x-0123456789ab"
    out.mkdir(parents=True)
    assert not is_published(out)
    for text in ("one", "two"):
        with publishing(spec(), out) as job:
            (job.out / "value").write_text(text)
    assert (out / "value").read_text() == "two"
    assert [p.name for p in out.parent.iterdir()] == [out.name]


def test_an_unpublished_upstream_is_refused(store):
    needs = spec(inputs={"data": "data/x-0123456789ab"})
    (store / "data" / "x-0123456789ab").mkdir(parents=True)
    with (
        pytest.raises(FileNotFoundError, match=r"data/x-0123456789ab.*not a result"),
        publishing(needs, store / "sft" / "y-ba9876543210"),
    ):
        raise AssertionError("the body must not run")


def test_a_killed_process_leaves_no_result(store):
    out = store / "data" / "x-0123456789ab"
    code = (
        "import sys, time, pathlib; from moa.runtime.publishing import publishing\n"
        f"with publishing({spec()!r}, pathlib.Path(sys.argv[1])) as job:\n"
        "    (job.out / 'big').write_text('half')\n"
        "    print('writing', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(out)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
    )
    assert process.stdout.readline() == b"writing\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not is_published(out)
    with pytest.raises(FileNotFoundError, match="not a result"):
        read_manifest(out)
