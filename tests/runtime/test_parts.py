"""A job that makes several entries: each is whole for itself, and the receipt stands for all."""

import os
import signal
import time

import pytest

from moa.runtime import preemption
from moa.runtime.attempts import read_attempts
from moa.runtime.errors import JobError
from moa.runtime.files import write_json
from moa.runtime.parts import run_parts
from moa.runtime.publishing import is_published, publishing, read_manifest, work_folder

KEYS = {"generate": "a" * 12, "score": "b" * 12, "evaluate": "c" * 12}
FOLDERS = {stage: f"{stage}/x-{key}" for stage, key in KEYS.items()}
INPUTS = {
    "generate": {},
    "score": {"generate": FOLDERS["generate"]},
    "evaluate": {stage: FOLDERS[stage] for stage in ("generate", "score")},
}


def write(job):
    (job.out / "value").write_text(f"{job.spec['stage']} at {time.time()}")


def spec(stage):
    common = {"name": "x", "params": {}, "seed": None, "operation": {}}
    return {"stage": stage, "inputs": INPUTS[stage], **common}


@pytest.fixture
def block(store, monkeypatch):
    """Runs the job of a block of two parts, as its script does. Returns: its exit code."""

    def run(generate=write, score=write):
        for stage, key in KEYS.items():
            work = work_folder(store, key)
            work.mkdir(parents=True, exist_ok=True)
            write_json(work / "spec.json", spec(stage))
        monkeypatch.setattr(preemption, "_leaving", False)
        monkeypatch.setattr(preemption, "_received", [])
        receipt = work_folder(store, KEYS["evaluate"]) / "spec.json"
        out = store / FOLDERS["evaluate"]
        monkeypatch.setattr("sys.argv", ["block", "--spec", str(receipt), "--out", str(out)])
        monkeypatch.setenv("MOA_PLANNED_AT", str(time.time()))
        with pytest.raises(SystemExit) as left:
            run_parts({"generate": generate, "score": score}, None)
        return left.value.code

    return run


def values(store):
    return [(store / FOLDERS[stage] / "value").read_text() for stage in ("generate", "score")]


def refuse(job):
    raise AssertionError(f"{job.spec['stage']} must not be made")


def test_every_part_is_an_entry_with_a_log_of_its_own(block, store):
    assert block() == 0
    assert not list((store.parent / "work").iterdir())
    for stage, rel in FOLDERS.items():
        assert read_manifest(store / rel)["key"] == KEYS[stage]
        said = (store / rel / "log.txt").read_text()
        assert f"INFO {stage} x: " in said
        assert ("generate x is made" in said) == (stage == "evaluate")


def test_a_part_that_is_published_is_taken_as_it_is(block, store):
    with publishing(spec("generate"), store / FOLDERS["generate"]) as job:
        write(job)
    before = (store / FOLDERS["generate"] / "value").read_text()
    assert block(generate=refuse) == 0
    assert values(store)[0] == before
    assert "generate x was there already" in (store / FOLDERS["evaluate"] / "log.txt").read_text()


def test_a_receipt_that_is_asked_for_again_makes_all_parts_anew(block, store):
    assert block() == 0
    before = values(store)
    (store / FOLDERS["evaluate"] / "manifest.json").unlink()  # as Snakemake does before it
    assert block() == 0
    assert all(new != old for new, old in zip(values(store), before, strict=True))


def test_what_a_forced_job_has_made_before_it_was_stopped_is_not_made_twice(
    block, store, monkeypatch
):
    assert block() == 0
    (store / FOLDERS["evaluate"] / "manifest.json").unlink()
    assert block(score=lambda job: os.kill(os.getpid(), signal.SIGTERM)) == preemption.RETRY
    first, planned = values(store), os.environ["MOA_PLANNED_AT"]
    # A retry is of the same run of Snakemake.
    monkeypatch.setattr(time, "time", lambda: float(planned))
    assert block(generate=refuse, score=lambda job: (job.out / "value").write_text("new")) == 0
    assert values(store) == [first[0], "new"]


def test_a_part_that_fails_is_named_and_the_others_stay(block, store, capsys):
    def fail(job):
        raise JobError("an oracle returned nan")

    assert block(score=fail) == 1
    said = capsys.readouterr().err
    assert said.count("an oracle returned nan") == 1
    work = work_folder(store, KEYS["score"])
    assert f"evaluate x failed: its part score x failed; {work / 'log.txt'} says why" in said
    assert is_published(store / FOLDERS["generate"]) and "Traceback" not in said
    assert not is_published(store / FOLDERS["evaluate"])
    for stage in ("score", "evaluate"):
        last = read_attempts(work_folder(store, KEYS[stage]))[-1]
        assert last["outcome"] == "failed", stage
    assert block(generate=refuse) == 0


def test_a_part_that_has_to_leave_ends_the_job_for_a_retry(block, store):
    assert block(score=lambda job: os.kill(os.getpid(), signal.SIGTERM)) == preemption.RETRY
    for stage in ("score", "evaluate"):
        last = read_attempts(work_folder(store, KEYS[stage]))[-1]
        assert (last["outcome"], last["message"]) == ("preempted", "SIGTERM was received"), stage
    assert block(generate=refuse) == 0
