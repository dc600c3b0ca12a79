"""The paper's run, rehearsed: `--profile slurm` on a real one-node Slurm, from its data to its figures."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from moa.workflow.plan import Plan, read_plan
from moa.workflow.resources import gpus_of
from moa.workflow.stages import STAGES
from support.checkouts import copy_repo
from support.slurm_cluster import NEEDED, Cluster, adapt_profile

pytestmark = [*NEEDED, pytest.mark.alone]
CONFIG = "config/rehearsal.yaml"
SECONDS = 3600  # no promise; only that a hanging run ends


@dataclass
class Rehearsal:
    """A finished run. output: what Snakemake said. asked: Slurm job -> what it asked Slurm for."""

    checkout: Path
    plan: Plan
    output: str
    asked: dict[str, str]
    seconds: float


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A node with as many GPUs as an A100 node has."""
    with Cluster(tmp_path_factory.mktemp("slurm"), gpus=8) as running:
        yield running


@pytest.fixture(scope="module")
def rehearsal(node, tmp_path_factory):
    """A user's steps: a checkout, the profile's two entries, the parts, the run."""
    checkout = tmp_path_factory.mktemp("checkout")
    copy_repo(checkout)
    adapt_profile(checkout)
    env = {**node.env, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    parts = [sys.executable, "workflow_scripts/make_rehearsal.py", "--out", "data/rehearsal"]
    subprocess.run(parts, cwd=checkout, env=env, check=True, capture_output=True)
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--configfile", CONFIG]
    asked, began = {}, time.monotonic()
    with open(checkout / "snakemake.log", "w") as output:
        running = subprocess.Popen(
            [*command, "--", "all"], cwd=checkout, env=env, stdout=output, stderr=subprocess.STDOUT
        )
    while running.poll() is None:
        if time.monotonic() - began > SECONDS:
            running.terminate()
            break
        for line in node.call(
            "squeue", "--noheader", "--states=all", "--Format=jobid:20,tres-per-job:40", check=False
        ).splitlines():
            job, _, tres = line.strip().partition(" ")
            asked[job] = tres.strip()
        time.sleep(5)
    seconds = time.monotonic() - began
    text = (checkout / "snakemake.log").read_text()
    assert running.wait() == 0, text[-6000:]
    plan = read_plan(checkout / CONFIG, checkout=checkout)
    return Rehearsal(checkout, plan, text, asked, seconds)


def blocks(output):
    """(rule, its block) of every job that Snakemake started."""
    return re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", output, re.MULTILINE)


def test_all_figures_and_tables_of_the_three_tasks_are_there(rehearsal, capsys):
    for path in rehearsal.plan.views:
        assert (rehearsal.checkout / path).stat().st_size > 0, path
    for task in ("safety", "assistant2", "assistant3"):
        tables = rehearsal.checkout / "results" / "rehearsal" / task / "tables"
        table = pd.read_csv(tables / "summary.csv")
        assert len(table) == 6  # RLHF experts answer at their own objective only: no front
        assert table.filter(like="hv").notna().to_numpy().any()
    with capsys.disabled():
        print(f"\nrehearsal through Slurm: {rehearsal.seconds / 60:.1f} minutes")


def test_every_gpu_job_asked_for_one_a100(rehearsal):
    found = blocks(rehearsal.output)
    for rule, block in found:
        gpus = re.search(r"\bgpu=(\d)", block)
        if gpus is None:
            assert "gpu_model" not in block, rule
            continue
        assert "gpu_model=a100" in block, rule
        assert int(gpus[1]) == 1, block
    on_gpus = {rule for rule, block in found if "gpu_model=a100" in block}
    assert {"train_sft", "evaluate_block", "score_offline"} < on_gpus
    planned = [a for a in rehearsal.plan.entries.values() if STAGES[a.stage].script in on_gpus]
    from_slurm = Counter(tres for tres in rehearsal.asked.values() if "gpu" in tres)
    assert from_slurm == Counter(f"gres:gpu:a100:{gpus_of(a)}" for a in planned)


def test_no_job_was_tried_twice_or_left_anything(rehearsal):
    results = rehearsal.checkout / "results"
    manifests = [json.loads(p.read_text()) for p in (results / "store").glob("*/*/manifest.json")]
    assert len(manifests) == len(rehearsal.plan.entries)
    for manifest in manifests:
        assert len([a for a in manifest["attempts"] if "started" in a]) == 1
    assert not list((results / "work").iterdir())
