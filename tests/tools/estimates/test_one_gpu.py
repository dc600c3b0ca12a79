"""config/one_gpu.yaml is one day on one card of 24 GB, by the plans, and its page says what they print."""

from __future__ import annotations

import sys

import pytest

import plan_cost
import plan_memory
from moa.tools.estimates.cards import card_of, cards
from moa.tools.estimates.cost import Assumptions, gpu_hours
from moa.tools.estimates.jobs import gpu_jobs
from moa.tools.estimates.memory import GB, peaks
from moa.workflow.config import CONFIG_FOLDER
from moa.workflow.inherit import read_config
from moa.workflow.methods import GIVEN, METHODS
from moa.workflow.plan import read_plan
from support.paths import REPO

CONFIG = CONFIG_FOLDER / "one_gpu.yaml"
PAGE = (REPO / "docs" / "one_gpu.md").read_text()
HOURS = "all methods, GPU-hours"


def row_of(first):
    """What the page's table has behind the first cell."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in row.split("|")[2:-1]]


@pytest.fixture(scope="module")
def plan():
    return read_plan(CONFIG)


@pytest.fixture(scope="module")
def jobs(plan):
    return gpu_jobs(plan)


def test_it_has_all_methods_three_objectives_and_the_papers_runs(plan, jobs):
    (task,) = plan.config.tasks.values()
    assert task.objectives == ["helpfulness", "harmlessness", "humor"]
    runs = read_config(CONFIG)["runs"]
    assert runs == read_config(CONFIG_FOLDER / "paper.yaml")["runs"]
    assert {run["method"] for run in runs} == METHODS.keys() - {GIVEN.name}
    assert {run for _, run, _ in plan.ends} == {run["name"] for run in runs}
    assert {job.params.get("objective") for job in jobs if job.stage == "expert"} == {
        *task.objectives
    }


@pytest.mark.parametrize("name", cards())
def test_a_day_is_enough_on_every_card(jobs, name):
    assert {job.gpus for job in jobs} == {1}
    hours = sum(gpu_hours(job, Assumptions(card=card_of(name))) for job in jobs)
    assert 1 < hours < 24
    cells = {first: row_of(first) for first in ("card of `config/gpus.yaml`", HOURS)}
    assert dict(zip(*cells.values(), strict=True))[name] == f"{hours:.1f}"


def test_no_job_takes_22_gb_its_oracles_included(jobs):
    found = peaks(jobs)
    assert max(peak.total for peak in found) < 22 * GB
    asking = [dict(peak.items) for peak in found if peak.job in ("online", "RiC")]
    assert asking and all(items["oracles"] > 3 * GB for items in asking)  # beside the policy


@pytest.mark.parametrize(
    ("program", "options"), [(plan_memory, ["--gpu-gb", "22"]), (plan_cost, ["--gpu", "RTX-4090"])]
)
def test_the_page_has_what_the_programs_print(program, options, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["plan", "--configfile", str(CONFIG), *options])
    try:
        program.main()
    except SystemExit as ended:
        assert not ended.code
    printed = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith(("|", "- "))
    ]
    assert len(printed) > 8
    missing = set(printed) - set(PAGE.splitlines())
    assert not missing, f"docs/one_gpu.md is out of date: print it anew with {options}"
