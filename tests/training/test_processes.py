"""Two processes that share every step train the same adapter as one, to rounding."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from moa.runtime.errors import JobError
from moa.training.batches import Batches
from support.paths import REPO
from support.tiny_jobs import TinyJobs


@pytest.mark.parametrize("n_rows", [64, 60, 57])
@pytest.mark.parametrize("micro", [1, 4, 8])
def test_any_number_of_processes_shares_the_same_steps(n_rows, micro):
    def steps(world):
        parts = [Batches(n_rows, 16, micro, seed=3, rank=r, world=world) for r in range(world)]
        pieces = [list(part) for part in parts]
        assert {len(part) for part in parts} == {len(p) for p in pieces} == {len(pieces[0])}
        assert all(piece for part in pieces for piece in part)
        per_step = parts[0]._pieces(16)
        found = []
        for first in range(0, len(pieces[0]), per_step):
            of_step = [piece for part in pieces for piece in part[first : first + per_step]]
            found.append([row for piece in of_step for row in piece])
        return found

    assert steps(1) == steps(2) == steps(4)
    assert sorted(row for step in steps(2) for row in step) == list(range(n_rows))


def test_a_step_with_fewer_prompts_than_processes_is_refused():
    with pytest.raises(JobError, match="last step of an epoch has 1 of 9 prompts for 2 processes"):
        Batches(9, 8, 4, seed=0, rank=0, world=2)


# TRL averages two of these over processes, whatever number of tokens each had; the Trainer counts the
# epoch in micro-batches, of which the last step may have fewer.
NOT_COMPARED = ("part", "mean_token_accuracy", "entropy", "epoch")


@pytest.mark.parametrize("cores", ["1", "4"])
def test_a_base_uses_the_threads_that_its_rule_asks_for_on_any_machine(cores):
    rules = (REPO / "rules" / "data.smk").read_text()
    asked = re.search(r"rule build_base:.*?threads: (\d+)", rules, re.S)[1]
    code = (
        "from moa.training.processes import torch, use_threads\n"
        "use_threads(); print(torch.get_num_threads())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OMP_NUM_THREADS": cores},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == asked


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    # Dropout draws from each process's own generator, so it is off where equality is asked for.
    twenty = {"epochs": 5, "batch_size": 8, "micro_batch_size": 4, "logging_steps": 1}
    policy = {
        "base": {
            "kind": "scratch_llama",
            "hidden_size": 16,
            "layers": 1,
            "heads": 2,
            "documents": 512,
            "epochs": 1,
        },
        "max_prompt_tokens": 64,
        "max_new_tokens": 8,
        "lora": {"rank": 4, "alpha": 8, "dropout": 0},
    }
    rate = {"learning_rate": 1.0e-3}
    return TinyJobs(
        tmp_path_factory.mktemp("processes") / "store",
        policy=policy,
        data={"n_train": 30},  # the last step of an epoch has 6 prompts of 8
        sft={**twenty, **rate, "response": "chosen"},
        online={**twenty, **rate},
        experts={**twenty, **rate},
        ric={**twenty, **rate, "quantile": 0.3, "rounds": 1},
    )


@pytest.fixture(scope="module")
def by_two(tiny, tmp_path_factory):
    """Entry -> a copy of what two processes make of it, once."""
    made = {}

    def make(entry):
        if entry.rel not in made:
            copy = tmp_path_factory.mktemp("by_two") / entry.key
            made[entry.rel] = shutil.copytree(tiny.make(entry, processes=2), copy)
        return made[entry.rel]

    return make


@pytest.mark.parametrize(
    ("stage", "name"), [("sft", ""), ("online", "mi_epo"), ("expert", "helpfulness"), ("ric", "")]
)
def test_two_processes_train_what_one_trains(tiny, by_two, tmp_path, stage, name):
    entry = tiny.entry(stage, name)
    alone = tmp_path / "alone"
    shutil.rmtree(tiny.folder(entry), ignore_errors=True)
    shutil.copytree(tiny.make_here(entry), alone)
    shared = by_two(entry)
    weights = [load_file(f / "adapter" / "adapter_model.safetensors") for f in (alone, shared)]
    assert weights[0].keys() == weights[1].keys()
    moved = 0.0
    for key, one in weights[0].items():
        np.testing.assert_allclose(one, weights[1][key], rtol=0, atol=2e-5)
        moved = max(moved, float(np.abs(one).max())) if "lora_B" in key else moved
    assert moved > 1e-3  # B starts at zero: something was learned
    logs = [
        [json.loads(line) for line in (f / "metrics.jsonl").read_text().splitlines()]
        for f in (alone, shared)
    ]
    assert len(logs[0]) == len(logs[1]) >= 15
    for one, two in zip(*logs, strict=True):
        assert one.keys() == two.keys()
        numbers = [k for k in one if k not in NOT_COMPARED]
        assert [two[k] for k in numbers] == pytest.approx([one[k] for k in numbers], abs=2e-3)
    if stage == "online":
        explored = [pd.read_parquet(f / "explored.parquet") for f in (alone, shared)]
        pd.testing.assert_frame_equal(*explored)


def test_two_processes_that_had_to_leave_resume_to_the_same_bytes(tiny, by_two):
    entry = tiny.entry("online", "mi_epo")
    weights = Path("adapter") / "adapter_model.safetensors"
    expected = (by_two(entry) / weights).read_bytes()
    explored = tiny.work(entry) / "checkpoints" / "explored.jsonl"
    job = subprocess.Popen(
        tiny.command(entry, processes=2),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 240
    while not (explored.exists() and explored.stat().st_size > 500) and time.monotonic() < end:
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)  # the launcher passes it on
    _, said = job.communicate(timeout=240)
    assert job.returncode != 0 and "saved at step" in said
    (saved,) = (tiny.work(entry) / "checkpoints").glob("checkpoint-*")
    assert {p.name for p in saved.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    assert (tiny.make(entry, processes=2) / weights).read_bytes() == expected
    assert f"resumes from {saved.name}" in (tiny.folder(entry) / "log.txt").read_text()
