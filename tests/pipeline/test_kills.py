"""Twenty kills at random times over the pipeline: nothing is lost, and not a byte differs at the end.

A job dies at once (SIGKILL), as on a lost node, or is asked to leave (SIGTERM), as on preemption, and is
tried again; or Snakemake and all its jobs die, as on a power cut, and the same command is run again.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from glob import glob

import psutil
import pytest
import yaml

from support.checkouts import copy_repo

KILLS = 20
TARGET = "results/tiny/safety/tables/summary.csv"


def prepare(checkout):
    copy_repo(checkout)
    config = yaml.safe_load((checkout / "tiny.yaml").read_text())
    config["runs"] = [{"name": n, "method": n} for n in ("rewarded_soups", "ric", "mi_epo")]
    config["tasks"]["safety"]["beta_w_sweep"] = []
    for section in ("sft", "online", "experts", "ric"):  # about ten seconds each
        config[section] |= {"epochs": 60, "logging_steps": 3}
    config["operation"] = {"checkpoint_minutes": 0.002}
    (checkout / "tiny.yaml").write_text(yaml.safe_dump(config))


def start(checkout, *arguments):
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local", "--cores", "2"]
    with open(checkout / "snakemake.log", "a") as log:
        return subprocess.Popen(
            [*command, "--configfile", "tiny.yaml", "--retries", "50", *arguments, "--", TARGET],
            cwd=checkout,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
        )


def jobs_of(process):
    """The scripts that run below a Snakemake."""
    if process.poll() is not None:
        return []
    family = psutil.Process(process.pid).children(recursive=True)
    return [p for p in family if "--spec" in _command(p) and "python" in _command(p)[0]]


def _command(process):
    try:
        return process.cmdline() or [""]
    except psutil.Error:
        return [""]


def kill_all(process):
    root = psutil.Process(process.pid)
    family = [root, *root.children(recursive=True)]
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.suspend()  # so that none starts another meanwhile
    for member in {*family, *root.children(recursive=True)}:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    psutil.wait_procs(family, timeout=30)


def entries(checkout):
    """Entry -> digests of what it holds; the log and its times differ between runs."""
    found = {}
    for path in (checkout / "results" / "store").glob("*/*/manifest.json"):
        files = json.loads(path.read_text())["files"]
        found[path.parent.relative_to(checkout).as_posix()] = {
            name: digest for name, digest in files.items() if name != "log.txt"
        }
    return found


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory):
    """(undisturbed, killed, how often it was killed while a job ran, entries seen before a kill)."""
    undisturbed = tmp_path_factory.mktemp("undisturbed")
    prepare(undisturbed)
    assert start(undisturbed).wait(1800) == 0, (undisturbed / "snakemake.log").read_text()[-4000:]

    killed = tmp_path_factory.mktemp("killed")
    shutil.copytree(undisturbed, killed, dirs_exist_ok=True, ignore=without_results)
    rng, before = random.Random(), {}
    kills = Counter()  # by job; none more than twice, so that they spread over the pipeline
    total, process = 0, start(killed)
    while process.poll() != 0 or total < KILLS:
        if process.poll() == 0:  # done before there were enough kills: once more from the start
            assert entries(killed) == entries(undisturbed)
            shutil.rmtree(killed / "results")
            before.clear()
            kills.clear()
        if process.poll() is not None:
            process = start(killed)
        time.sleep(rng.uniform(0, 3))
        before |= entries(killed)
        running = [job for job in jobs_of(process) if kills[key_of(job)] < 2]
        if not running:
            continue
        victim = rng.choice(running)
        if rng.random() < 0.6:  # not while it starts up, but when there is something to lose
            wait_for_work(killed, victim)
        if not victim.is_running():
            continue
        total += 1
        kills[key_of(victim)] += 1
        if rng.random() < 0.2:
            kill_all(process)
            start(killed, "--unlock").wait(240)
        else:
            with suppress(psutil.NoSuchProcess):
                victim.send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM]))
    return undisturbed, killed, total, before


def without_results(folder, names):
    return [name for name in names if name in ("results", ".snakemake", "snakemake.log")]


def key_of(job):
    """The content key of the entry that a script makes."""
    with suppress(psutil.Error, ValueError, IndexError):
        command = job.cmdline()
        return command[command.index("--out") + 1].rsplit("-", 1)[1]
    return None


def wait_for_work(checkout, job):
    """Until a job has a checkpoint or a shard, or has ended."""
    kept = checkout / "results" / "work" / str(key_of(job)) / "checkpoints"
    with suppress(psutil.NoSuchProcess):
        while job.status() != psutil.STATUS_ZOMBIE:
            if glob(f"{kept}/**/checkpoint-*", recursive=True) or glob(f"{kept}/*.parquet"):
                return
            time.sleep(0.02)


def test_the_pipeline_was_killed_often(checkouts):
    assert checkouts[2] >= KILLS


def test_no_result_is_lost_and_every_byte_is_that_of_an_undisturbed_run(checkouts):
    undisturbed, killed, _, before = checkouts
    expected, found = entries(undisturbed), entries(killed)
    assert found.keys() == expected.keys()
    assert {k: v for k, v in found.items() if v != expected[k]} == {}
    assert before.items() <= found.items()  # what was there before a kill stayed as it was


def test_killed_jobs_resumed_and_left_nothing_behind(checkouts):
    _, killed, _, _ = checkouts
    manifests = (killed / "results" / "store").glob("*/*/manifest.json")
    starts = [sum("started" in a for a in json.loads(p.read_text())["attempts"]) for p in manifests]
    assert sum(starts) > len(starts)
    assert "resumes from checkpoint-" in (killed / "snakemake.log").read_text()
    work = killed / "results" / "work"
    assert not work.exists() or not list(work.iterdir())
