"""Signals, locks and attempts of real jobs: nothing is lost, and nothing is made twice."""

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import nullcontext

import pytest

from moa.runtime import job as jobs
from moa.runtime import preemption
from moa.runtime.attempts import read_attempts
from moa.runtime.publishing import MANIFEST, SEAL
from support.tiny_jobs import TinyJobs


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    slow = {"epochs": 30, "logging_steps": 3, "learning_rate": 1.0e-3, "batch_size": 8}
    jobs = TinyJobs(
        tmp_path_factory.mktemp("jobs") / "store",
        sft=slow,
        online={**slow, "epochs": 15, "micro_batch_size": 8},
        experts={**slow, "epochs": 15, "micro_batch_size": 4},
        ric={**slow, "quantile": 0.5},
        operation={"checkpoint_minutes": 60},
    )
    jobs.make_here(jobs.entry("sft"))
    jobs.make_here(jobs.entry("oracle_stats"))
    return jobs


def start(command, **environment):
    return subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def digests(folder):
    files = json.loads((folder / MANIFEST).read_text())["files"]
    return {name: digest for name, digest in files.items() if name != "log.txt"}


@pytest.mark.parametrize(
    ("stage", "name", "number"),
    [
        ("sft", "", signal.SIGUSR1),
        ("online", "mi_epo", signal.SIGTERM),
        ("expert", "helpfulness", signal.SIGTERM),
        ("ric", "", signal.SIGTERM),
    ],
)
def test_a_training_job_saves_on_a_signal_and_its_retry_ends_with_the_same_bytes(
    tiny, stage, name, number
):
    entry = tiny.entry(stage, name)
    expected = digests(tiny.make_here(entry))
    work = tiny.work(entry)
    job = start(tiny.command(entry))
    wait_for(
        lambda: sum(p.stat().st_size for p in work.rglob("metrics.jsonl")) > 2000
    )  # epoch 3 on
    job.send_signal(number)
    _, said = job.communicate(timeout=240)
    assert job.returncode == preemption.RETRY
    assert f"{number.name} was received; saved at step" in said
    first, last = read_attempts(work)
    assert first["attempt"] == last["attempt"] == 1 and last["outcome"] == "preempted"
    (saved,) = (p for p in work.rglob("checkpoint-*") if p.is_dir())
    again = digests(tiny.make(entry))
    assert again == expected
    log = (tiny.folder(entry) / "log.txt").read_text()
    assert f"resumes from {saved.name}" in log
    attempts = json.loads((tiny.folder(entry) / MANIFEST).read_text())["attempts"]
    assert [a["attempt"] for a in attempts if "started" in a] == [1, 2]


def test_a_job_without_checkpoints_leaves_at_once(tiny):
    entry = tiny.entry("data")
    job = start(tiny.command(entry))
    wait_for(lambda: (tiny.work(entry) / "log.txt").exists())
    job.send_signal(signal.SIGTERM)
    _, said = job.communicate(timeout=240)
    # It may have been done already: then the entry is whole.
    assert job.returncode in (0, preemption.RETRY), said
    assert (tiny.folder(entry) / MANIFEST).exists()  # the entry of before is still there


@pytest.fixture
def run_here(tiny, monkeypatch):
    """Runs a job's entry point in this process, as its script does. Returns: its exit code."""
    command = tiny.command(tiny.entry("data"))
    monkeypatch.setattr("sys.argv", command[1:])
    monkeypatch.setattr(jobs, "_log_to", lambda _: nullcontext())
    monkeypatch.setattr(preemption, "_leaving", False)
    monkeypatch.setattr(preemption, "_received", [])

    def run(main):
        with pytest.raises(SystemExit) as left:
            jobs.run(main, None)
        return left.value.code

    return run


@pytest.mark.parametrize("when", ["only_one", "restore", "_log_to", "note_attempt"])
def test_a_job_leaves_in_order_whenever_the_signal_comes(run_here, monkeypatch, capsys, when):
    monkeypatch.setattr(jobs, when, lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    assert run_here(lambda _: None) == preemption.RETRY
    assert "SIGTERM was received" in capsys.readouterr().err


def test_a_second_signal_does_not_stop_the_leaving(tiny, run_here):
    def twice(_):
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    assert run_here(twice) == preemption.RETRY
    last = read_attempts(tiny.work(tiny.entry("data")))[-1]
    assert (last["outcome"], last["message"]) == ("preempted", "SIGUSR1 was received")


def test_a_second_job_for_an_entry_waits_and_takes_what_the_first_made(tiny):
    entry = tiny.entry("online", "mo_odpo")
    planned = {"MOA_PLANNED_AT": str(time.time())}
    first = start(tiny.command(entry), **planned)
    wait_for(lambda: (tiny.work(entry) / "attempts.jsonl").exists())
    first.send_signal(signal.SIGSTOP)  # so that the second surely meets it
    second = start(tiny.command(entry), **planned)
    assert second.stderr is not None
    said = next(line for line in second.stderr if "waiting for it" in line)
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=240)
    _, rest = second.communicate(timeout=240)
    assert (first.returncode, second.returncode) == (0, 0), rest
    assert f"process {first.pid} on" in said
    attempts = json.loads((tiny.folder(entry) / MANIFEST).read_text())["attempts"]
    assert [a["pid"] for a in attempts] == [first.pid]
    assert not tiny.work(entry).exists()


def test_a_job_that_starts_when_another_has_made_its_entry_takes_that(tiny):
    entry = tiny.entry("oracle_stats")
    command = tiny.command(entry)
    shutil.rmtree(tiny.work(entry))  # as the other does when it has published, spec and all
    made = (tiny.folder(entry) / SEAL).stat().st_mtime
    job = start(command, MOA_PLANNED_AT=str(made - 1))
    _, said = job.communicate(timeout=240)
    assert job.returncode == 0, said
    assert (tiny.folder(entry) / SEAL).stat().st_mtime == made
    assert not tiny.work(entry).exists()


def test_an_entry_published_after_planning_gets_its_manifest_back(tiny):
    entry = tiny.entry("oracle_stats")
    folder = tiny.folder(entry)
    before = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).unlink()  # as Snakemake does before it runs a job
    job = start(tiny.command(entry), MOA_PLANNED_AT=str((folder / SEAL).stat().st_mtime - 1))
    assert job.wait(240) == 0
    assert (folder / MANIFEST).read_bytes() == before
    (folder / MANIFEST).unlink()
    later = start(tiny.command(entry), MOA_PLANNED_AT=str(time.time()))
    assert later.wait(240) == 0  # planned when it was there: asked for again on purpose
    assert (folder / MANIFEST).read_bytes() != before


def test_near_the_time_limit_there_is_a_reason_to_leave(monkeypatch):
    monkeypatch.setattr(preemption, "time_limit", lambda: time.time() + 100)
    assert preemption.reason(seconds_needed=10) is None
    assert "the Slurm time limit is" in preemption.reason(seconds_needed=50)
    monkeypatch.setattr(preemption, "time_limit", lambda: None)
    assert preemption.reason(seconds_needed=1e9) is None
