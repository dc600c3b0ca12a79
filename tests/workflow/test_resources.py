"""What jobs ask of Slurm, by a dry run of the paper's config through the profile; and of one machine."""

import re
import subprocess
import sys

import pytest
import yaml

from moa.runtime.errors import ConfigError
from moa.workflow.config import resolve
from moa.workflow.plan import Plan
from moa.workflow.resources import check_site, gpus_of, has_gpu, launcher_of
from support.checkouts import copy_repo, edited, snakemake
from support.paths import REPO

GPU_RULES = {
    "train_sft",
    "train_online",
    "train_expert",
    "train_ric",
    "evaluate_block",
    "score_offline",
}


def paper(**operation):
    config = yaml.safe_load((REPO / "config" / "paper.yaml").read_text())
    config["operation"] |= operation
    return Plan(resolve(config))


@pytest.fixture(scope="module")
def jobs():
    """(rule, its resources) of every job of a dry run, as the README has it."""
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "-n", "all"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    blocks = re.findall(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)+)", done.stdout, re.MULTILINE)
    found = []
    for rule, block in blocks:
        resources = re.search(r"resources: (.*)", block)
        assert resources
        found.append((rule, dict(r.split("=") for r in resources[1].split(", "))))
    return found


@pytest.mark.workflow
def test_one_seed_of_the_paper_is_a_third_of_its_training():
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "-n", "--quiet", "rules"]
    command += ["--config", "seeds=[0]", "--", "all"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    counts = dict(re.findall(r"^(train_\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    assert sum(map(int, counts.values())) == 22


@pytest.mark.workflow
def test_every_training_job_of_the_paper_asks_for_an_a100(jobs):
    training = [resources for rule, resources in jobs if rule.startswith("train_")]
    assert len(training) == 66
    assert {r["gpu_model"] for r in training} == {"a100"}
    assert {int(r["gpu"]) for r in training} == {1}


@pytest.mark.workflow
def test_jobs_that_compute_on_a_cpu_ask_for_no_gpu(jobs):
    asked = {rule for rule, resources in jobs if "gpu_model" in resources}
    assert asked == GPU_RULES
    assert {rule for rule, _ in jobs} - asked == {
        "prepare_data",
        "build_base",
        "describe_policy",
        "compute_metrics",
        "draw_figure",
        "write_tables",
        "write_explorer",
        "all",
    }


def test_oracles_on_a_second_gpu_double_a_jobs_gpus():
    plan = paper(processes=2, oracle_placement="second_gpu")
    gpus = {
        a.stage: gpus_of(a)
        for a in plan.entries.values()
        if a.stage in ("sft", "online", "expert", "ric", "evaluate")
    }
    assert gpus == {"sft": 2, "online": 4, "expert": 4, "ric": 4, "evaluate": 1}


def test_several_processes_are_started_by_torchs_launcher():
    one, two = (
        next(a for a in paper(processes=n).entries.values() if a.stage == "online") for n in (1, 2)
    )
    assert launcher_of(one, "python") == "python"
    assert "python -m torch.distributed.run --standalone --nproc_per_node=2" in launcher_of(
        two, "python"
    )
    assert "SIGUSR1" in launcher_of(two, "python")
    assert one.key == two.key


def test_an_account_or_partition_that_is_not_set_is_named():
    check_site({"slurm_account": "physics", "slurm_partition": "gpu"})
    check_site({"mem_mb": "1000"})  # not the Slurm profile, or a cluster without accounts
    for name in ("slurm_account", "slurm_partition"):
        given = {"slurm_account": "physics", "slurm_partition": "gpu", name: "unset"}
        with pytest.raises(ConfigError, match=f"profiles/slurm/config.yaml: {name} is not set"):
            check_site(given)


@pytest.mark.workflow
def test_the_profile_stops_a_real_run_without_account_in_one_line():
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm"]
    command += ["--configfile", "tests/tiny.yaml", "--", "all"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "profiles/slurm/config.yaml: slurm_account is not set" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def made_up_machine(folder, *files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


def test_a_gpu_is_seen_where_jobs_would_find_it(tmp_path):
    none = made_up_machine(tmp_path / "none", "dev/nvidiactl", "dev/null")
    assert not has_gpu({}, none)
    linux = made_up_machine(tmp_path / "linux", "dev/nvidiactl", "dev/nvidia3")
    windows = made_up_machine(tmp_path / "windows", "usr/lib/wsl/lib/libcuda.so.1")
    for machine in (linux, windows):
        assert has_gpu({}, machine) and has_gpu({"CUDA_VISIBLE_DEVICES": "0"}, machine)
        for hidden in ("", "-1"):
            assert not has_gpu({"CUDA_VISIBLE_DEVICES": hidden}, machine)


@pytest.fixture
def on_a_gpu(tmp_path):
    """A checkout that takes `machine/` for the machine it is on, with one GPU."""
    copy_repo(tmp_path)
    resources = tmp_path / "workflow_scripts" / "moa" / "workflow" / "resources.py"
    edited(resources, 'root: Path = Path("/")', 'root: Path = Path("machine")')
    made_up_machine(tmp_path / "machine", "dev/nvidia0")
    return tmp_path


@pytest.mark.workflow
def test_slurm_counts_gpus_for_itself(on_a_gpu):
    config = yaml.safe_load((on_a_gpu / "tiny.yaml").read_text()) | {"operation": {"processes": 2}}
    (on_a_gpu / "two.yaml").write_text(yaml.safe_dump(config))
    sft = next(a for a in Plan(resolve(config)).entries.values() if a.stage == "sft")
    target = ("--dry-run", "--", f"results/store/{sft.rel}/manifest.json")
    for arguments, gpus in (((), "1"), (("--executor", "slurm", "--jobs", "4"), "2")):
        _, said = snakemake(on_a_gpu, *arguments, *target, config="two.yaml")
        assert re.findall(r"\bgpu=(\d)", said.split("rule train_sft:")[1]) == [gpus]


@pytest.mark.workflow
def test_jobs_of_one_gpu_go_one_at_a_time_and_those_of_cpus_side_by_side(on_a_gpu):
    config = yaml.safe_load((on_a_gpu / "tiny.yaml").read_text())
    task = config["tasks"]["safety"] | {"paper": None}
    apart = {"data": task["data"] | {"split_seed": 5}}
    config["tasks"] = {"one": task, "two": task | apart}
    (on_a_gpu / "two.yaml").write_text(yaml.safe_dump(config))
    plan = Plan(resolve(config))

    def together(stage, *arguments):
        """How many jobs of a stage Snakemake starts at once, on four cores."""
        targets = [
            f"results/store/{a.rel}/manifest.json"
            for a in plan.entries.values()
            if a.stage == stage
        ]
        assert len(targets) == 2
        _, said = snakemake(on_a_gpu, "--cores", "4", *arguments, "--", *targets, config="two.yaml")
        return [int(n) for n in re.findall(r"^Execute (\d+) jobs", said, re.MULTILINE)]

    assert together("data") == [2]
    assert together("oracle_stats") == [1, 1]
    again = ("--forcerun", "score_offline")
    assert together("oracle_stats", *again, "--resources", "gpu=2") == [2]
    (on_a_gpu / "machine" / "dev" / "nvidia0").unlink()
    assert together("oracle_stats", *again) == [2]
