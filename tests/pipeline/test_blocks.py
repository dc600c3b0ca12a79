"""What Snakemake knows of the blocks of evaluation, and in which order it runs jobs.

In a copy of the repository whose jobs only say that they ran: scheduling is real, and nothing is trained.
"""

import os
import shutil

import pytest
import yaml

from moa.runtime.publishing import MANIFEST
from moa.workflow.config import resolve
from moa.workflow.plan import Plan
from moa.workflow.stages import STAGES
from support.checkouts import copy_repo, edited, snakemake
from support.tiny_store import publish, tiny_config

RAN = "ran.txt"  # a line per job, in order


@pytest.fixture
def checkout(tmp_path):
    copy_repo(tmp_path)
    command = "    program = shlex.quote(str(SCRIPTS"
    ran = f"echo {{output}} >> {RAN}; touch {{output}}"
    edited(tmp_path / "rules/common.smk", command, f'    return "{ran}"\n{command}')
    end = "def end_well():\n    if ASKED"  # there are no metrics to tell of
    edited(tmp_path / "rules/ending.smk", end, f"{end} and False")
    return tmp_path


def plan_of(checkout, **changes):
    """The tiny config with these changes, written where Snakemake reads it; and its plan."""
    config = tiny_config("results/store", **changes)
    (checkout / "tiny.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return Plan(resolve({**config, "store": str(checkout / "results/store")}))


def ran(checkout):
    """The entries of the jobs that ran, in their order."""
    lines = (checkout / RAN).read_text().split()
    return [line.removeprefix("results/store/").removesuffix(f"/{MANIFEST}") for line in lines]


def test_all_behind_the_first_tasks_front_runs_before_other_work(checkout):
    task = tiny_config("")["tasks"]["safety"]
    second = {**task, "data": {**task["data"], "n_train": 16}, "beta_w_sweep": []}
    # The second task comes first by name, and has as much to do.
    plan = plan_of(checkout, tasks={"safety": task, "again": second})
    snakemake(checkout, "--cores", "1")
    order = ran(checkout)
    early = [rel in plan.early for rel in order]
    assert early == sorted(early, reverse=True)
    assert sum(early) == len(plan.early) > 15 and len(order) > 2 * len(plan.early)
    assert order[len(plan.early) - 1].startswith("figure/pareto_fronts-tiny-safety-")
    assert not any("again" in rel for rel in plan.early)


def test_a_receipt_of_what_is_no_longer_there_does_not_count(checkout):
    plan = plan_of(checkout)
    store = checkout / "results" / "store"
    publish(
        store, [a for a in plan.entries.values() if a.stage not in ("figure", "table", "explorer")]
    )
    receipt = plan.ends["safety", "mi_epo", 0][0]
    target = f"results/store/{receipt.rel}/{MANIFEST}"
    assert snakemake(checkout, "--", target)[0] == {}
    shutil.rmtree(store / receipt.inputs["score"].rel)
    before = sorted(os.walk(checkout / "results"))
    for asked in (("--", target), ()):
        jobs, _ = snakemake(checkout, "--dry-run", *asked)
        assert jobs["evaluate_block"] == 1 and "compute_metrics" not in jobs
    assert sorted(os.walk(checkout / "results")) == before
    assert snakemake(checkout, "--", target)[0] == {"evaluate_block": 1}
    # No seal of the older one is left, so what is there of the block will be taken as it is.
    assert not (store / receipt.rel / "spec.json").exists()


def test_a_block_waits_for_what_its_parts_are_made_from_and_metrics_for_the_blocks(checkout):
    plan = plan_of(checkout, generation={"vectors_per_job": 6})
    first, second = plan.ends["safety", "rewarded_soups", 0]
    before = [job.stage for job in plan.jobs.before(first)]
    assert sorted(before) == ["base", "data", "expert", "expert", "oracle_stats", "sft"]
    metrics = next(a for a in plan.entries.values() if a.stage == "metrics")
    assert {first.rel, second.rel} <= {job.rel for job in plan.jobs.before(metrics)}
    assert not {*STAGES["evaluate"].parts} & {j.stage for j in plan.jobs.before(metrics)}
    assert {rel.split("/")[0] for rel in metrics.spec["inputs"].values()} >= {
        "score",
        "likelihoods",
    }
