"""The pipeline through `--profile slurm` on a real one-node Slurm, with all that can happen to a job.

One run is disturbed in every way at once: a job is cancelled, one requeued, all hit their time limit, the
controller restarts. Its results must be those of an undisturbed run.
"""

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from support.checkouts import add_oracle_kind, copy_repo, edited
from support.paths import TINY
from support.slurm_cluster import NEEDED, Cluster, adapt_profile
from support.tiny_jobs import TinyJobs

pytestmark = NEEDED
TARGET = "results/tiny/safety/tables/summary.csv"
# An oracle that takes its time, so that jobs last long enough to be disturbed on any machine.
SLOW_ORACLE = """
import time
from moa.oracles.synthetic_world import SyntheticOracle

class Slow(SyntheticOracle):
    def __init__(self, objective, seconds):
        super().__init__(objective)
        self.seconds = seconds

    def score(self, prompts, responses):
        if len(prompts) == 16:  # a training step, no matter how long the whole of an evaluation is
            time.sleep(self.seconds)
        return super().score(prompts, responses)

def load(objective, params, entry):
    return Slow(objective, params["seconds"])
"""


def slurm_config(store):
    config = yaml.safe_load(TINY.read_text())
    oracle = {"kind": "slow", "seconds": 0.7}
    task = config["tasks"]["safety"]
    task["oracles"] = {name: dict(oracle) for name in task["objectives"]}
    task["beta_w_sweep"] = []
    config["online"] |= {"epochs": 16, "micro_batch_size": 8}  # 64 steps of about 1.5 s
    config["operation"] = {"checkpoint_minutes": 0.1}
    config["store"] = str(store)
    config["runs"] = [
        {"name": "mo_odpo", "method": "mo_odpo"},
        {"name": "mi_epo", "method": "mi_epo"},
        {"name": "mi_epo_strong", "method": "mi_epo", "overrides": {"beta_w": 0.1}},
    ]
    return config


def prepare(checkout):
    """A checkout as a user sets it up: account and partition in the profile, one more oracle."""
    copy_repo(checkout)
    add_oracle_kind(checkout, "slow", SLOW_ORACLE, "    seconds: float = 0\n")
    profile = adapt_profile(checkout)
    edited(profile, "runtime: 24 * 60 * attempt", "runtime: 2 * attempt")
    (checkout / "tiny.yaml").write_text(yaml.safe_dump(slurm_config("results/store")))


@dataclass
class Run:
    """A Snakemake under way, watched through squeue."""

    cluster: Cluster
    checkout: Path
    process: subprocess.Popen[bytes]
    most_gpu_jobs: int = 0
    done: dict[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.checkout / "results" / "work"

    def training(self) -> dict[str, tuple[str, Path]]:
        """Slurm job -> (run, work folder) of the training jobs that run and have a checkpoint."""
        found = {}
        running = self.cluster.call("squeue", "--noheader", "--states=R", "--format=%i").split()
        for spec in self.work.glob("*/spec.json"):
            folder, attempts = spec.parent, spec.parent / "attempts.jsonl"
            if not attempts.exists() or not list((folder / "checkpoints").glob("checkpoint-*")):
                continue
            starts = [json.loads(line) for line in attempts.read_text().splitlines()]
            job = [x for x in starts if "started" in x][-1]["slurm_job"]
            name = json.loads(spec.read_text())["name"]
            if job in running and json.loads(spec.read_text())["stage"] == "online":
                found[job] = (name.removesuffix("-safety-s0"), folder)
        return found

    def watch(self) -> None:
        """Count the GPU jobs that run now."""
        lines = self.cluster.call(
            "squeue", "--noheader", "--states=R", "--Format=tres-per-job:40"
        ).split()
        self.most_gpu_jobs = max(self.most_gpu_jobs, sum("gpu" in line for line in lines))

    def disturb(self) -> None:
        """Do the next thing to a job that has not been disturbed yet."""
        for job, (name, _) in self.training().items():
            if name in self.done:
                continue
            if "cancelled" not in self.done.values():
                self.cluster.call("scancel", job)
                self.done[name] = "cancelled"
            elif "requeued" not in self.done.values():
                self.cluster.call("scontrol", "requeue", job)
                self.done[name] = "requeued"
            elif "restarted" not in self.done.values():
                self.cluster.stop("slurmctld")
                time.sleep(3)
                self.cluster.start_controller()
                self.done[name] = "restarted"
            return


def start(cluster, checkout, log):
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm"]
    with open(checkout / log, "w") as output:
        return subprocess.Popen(
            [*command, "--configfile", "tiny.yaml", "--", TARGET],
            cwd=checkout,
            env={**cluster.env, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture(scope="module")
def disturbed(cluster, tmp_path_factory):
    """(the finished run, Snakemake's output, what a second Snakemake said meanwhile)."""
    checkout = tmp_path_factory.mktemp("checkout")
    prepare(checkout)
    run = Run(cluster, checkout, start(cluster, checkout, "snakemake.log"))
    second, began = None, time.monotonic()
    while run.process.poll() is None:
        if time.monotonic() - began > 1800:
            run.process.terminate()
            break
        run.watch()
        run.disturb()
        if second is None and run.done:
            code = start(cluster, checkout, "second.log").wait(300)
            second = ((checkout / "second.log").read_text(), code)
        time.sleep(0.5)
    output = (checkout / "snakemake.log").read_text()
    assert run.process.returncode == 0, output[-6000:]
    return run, output, second


def manifests(run, stage):
    found = {}
    for path in (run.checkout / "results" / "store" / stage).glob("*/manifest.json"):
        name = path.parent.name.rsplit("-", 1)[0]
        found[name.removesuffix("-safety-s0")] = json.loads(path.read_text())
    return found


def test_everything_was_made_in_spite_of_all(disturbed):
    run, _, _ = disturbed
    assert sorted(run.done.values()) == ["cancelled", "requeued", "restarted"]
    assert (run.checkout / TARGET).exists()
    assert set(manifests(run, "online")) == {"mo_odpo", "mi_epo", "mi_epo_strong"}


def test_gpu_jobs_ask_for_an_a100_and_others_for_none(disturbed):
    _, output, _ = disturbed
    asked = {}
    for block in re.findall(r"^rule (\w+):\n((?:    .*\n)+)", output, re.MULTILINE):
        asked[block[0]] = "gpu_model=a100" in block[1] and "gpu=1" in block[1]
    gpu = {"train_sft", "train_online", "score_offline", "evaluate_block"}
    cpu = {"prepare_data", "build_base"}
    assert {name for name, a100 in asked.items() if a100} == gpu
    assert {name for name, a100 in asked.items() if not a100} == cpu
    assert "localrule compute_metrics:" in output and "localrule write_tables:" in output


def test_two_gpu_jobs_ran_at_once_and_never_three(disturbed):
    assert disturbed[0].most_gpu_jobs == 2


def test_cancelled_requeued_and_timed_out_jobs_resumed(disturbed):
    run, _, _ = disturbed
    by_fate = {fate: name for name, fate in run.done.items()}
    attempts = {name: m["attempts"] for name, m in manifests(run, "online").items()}

    def starts(name):
        return [a for a in attempts[name] if "started" in a]

    assert len(starts(by_fate["cancelled"])) >= 2
    again = starts(by_fate["requeued"])
    assert again[0]["slurm_job"] == again[1]["slurm_job"]  # Slurm's own queue
    for name, of_run in attempts.items():
        log = next((run.checkout / "results/store/online").glob(f"{name}-safety-*")) / "log.txt"
        resumed = log.read_text().count("resumes from checkpoint-")
        assert resumed == len(starts(name)) - 1, name
        assert any(a.get("outcome") == "preempted" for a in of_run), name
    assert "the Slurm time limit is" in "".join(
        p.read_text() for p in (run.checkout / "results/store/online").glob("*/log.txt")
    )


def test_a_second_snakemake_in_the_same_folder_refuses(disturbed):
    output, code = disturbed[2]
    assert code != 0 and "Directory cannot be locked" in output


def test_the_results_are_those_of_an_undisturbed_run(disturbed, tmp_path):
    run, _, _ = disturbed
    for folder in (run.checkout / "results/store/online").glob("*"):
        spec = json.loads((folder / "spec.json").read_text())
        for oracle in spec["params"]["oracles"].values():
            oracle["seconds"] = 0.0
        other = tmp_path / "store" / "online" / folder.name
        for rel in spec["inputs"].values():
            target = tmp_path / "store" / rel
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(run.checkout / "results/store" / rel)
        TinyJobs.run_script(run.checkout / "workflow_scripts" / "train_online.py", spec, other)
        for name in ("adapter/adapter_model.safetensors", "metrics.jsonl", "explored.parquet"):
            assert (folder / name).read_bytes() == (other / name).read_bytes(), (folder.name, name)
