"""The cost plan: sums that can be made by hand, and what a change of the config must do to them."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import yaml

import plan_cost
from moa.runtime.errors import ConfigError
from moa.tools.estimates.cards import card_of
from moa.tools.estimates.cost import Assumptions, gpu_hours, seconds
from moa.tools.estimates.jobs import GpuJob, gpu_jobs
from moa.tools.estimates.tables import job_table, run_table
from moa.workflow.config import CONFIG_FOLDER, resolve
from moa.workflow.plan import Plan

PAPER = CONFIG_FOLDER / "paper.yaml"
GIVEN = Assumptions(prompt_tokens=200, response_tokens=100)


def paper(**changes):
    """config/paper.yaml with sections changed for every task, for example online={"epochs": 1}."""
    raw = yaml.safe_load(PAPER.read_text())
    for task in raw["tasks"].values():
        for section, values in changes.items():
            task[section] = {**task.get(section, {}), **values}
    return raw


def jobs_of(raw) -> list[GpuJob]:
    return gpu_jobs(Plan(resolve(raw)))


def one(jobs, task, stage, run=None) -> GpuJob:
    return next(
        j for j in jobs if (j.task, j.stage) == (task, stage) and (run is None or run in j.runs)
    )


@pytest.fixture(scope="module")
def jobs():
    return jobs_of(paper())


def test_shared_jobs_are_counted_once(jobs):
    of_stage = {
        stage: [j for j in jobs if j.stage == stage] for stage in ("sft", "expert", "online")
    }
    assert len(of_stage["sft"]) == 3 * 3  # tasks, seeds
    assert len(of_stage["expert"]) == 3 * (2 + 2 + 3)  # for soups and RLHF together
    assert len(of_stage["online"]) == 3 * 3 * 3
    assert set(of_stage["expert"][0].runs) == {"rlhf", "rewarded_soups"}
    table = run_table(jobs, GIVEN)
    everything = sum(gpu_hours(job, GIVEN) for job in jobs)
    assert table.rows[-1][-2] == f"{everything:.1f}"
    assert sum(float(row[-2]) for row in table.rows[:-1]) > everything
    assert sum(float(row[-1]) for row in job_table(jobs, GIVEN).rows) == pytest.approx(
        everything, rel=0.01
    )


def test_training_flops_are_those_of_a_sum_by_hand(jobs):
    tokens, columns = 8000 * 3 * 300, 8000 * 3 * 100
    layers = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008)
    adapter = 32 * 64 * (4 * 8192 + 3 * (4096 + 11008))
    output = 32001 * 4096
    forward = 2 * (layers + adapter) * tokens + 2 * output * columns
    backward = (2 * layers + 4 * adapter) * tokens + 2 * output * columns
    again = 2 * (layers + adapter) * tokens
    by_hand = (forward + backward + again) / (312e12 * GIVEN.utilisation)
    assert seconds(one(jobs, "safety", "sft"), GIVEN) == {"training": pytest.approx(by_hand)}
    plain = jobs_of(paper(sft={"gradient_checkpointing": False}))
    assert seconds(one(plain, "safety", "sft"), GIVEN)["training"] == pytest.approx(
        by_hand - again / (312e12 * GIVEN.utilisation)
    )


def test_the_exploration_term_doubles_responses_and_no_sampling(jobs):
    plain, explored = (
        seconds(one(jobs, "assistant2", "online", run), GIVEN) for run in ("mo_odpo", "mi_epo")
    )
    for part in ("sampling", "scoring"):
        assert plain[part] == explored[part]
    # One prompt of 200 tokens and 200 tokens of responses, or 400 and the second condition's 20.
    for part in ("reference", "training"):
        assert explored[part] / plain[part] == pytest.approx(620 / 400, rel=0.03)


def test_twice_the_cache_takes_about_half_the_steps():
    """As long as reading the weights is most of a step, and more responses wait than fit."""
    few, more = (
        seconds(
            one(jobs_of(paper(operation={"cache_gib": gib})), "safety", "online", "mi_epo"), GIVEN
        )
        for gib in (1, 2)
    )
    assert 0.5 < more["sampling"] / few["sampling"] < 0.65
    assert few["training"] == more["training"]


def test_a_job_holds_its_oracles_gpu_too_or_waits_for_their_visits():
    apart, together, visiting = (
        one(jobs_of(paper(operation={"oracle_placement": where})), "safety", "ric")
        for where in ("second_gpu", "same_gpu", "cpu_offload")
    )
    assert gpu_hours(apart, GIVEN) == 2 * gpu_hours(together, GIVEN)
    steps, weights = 2 * 8000 / 512, 2 * 2 * 6.6e9  # rounds; two oracles in bfloat16
    more = (gpu_hours(visiting, GIVEN) - gpu_hours(together, GIVEN)) * 3600
    assert more == pytest.approx(steps * weights / 20e9, rel=0.02)
    assert visiting.gpus == 1


def test_a_block_takes_as_long_as_its_parts(jobs):
    block = one(jobs, "assistant3", "evaluate", "mi_epo")
    found = seconds(block, GIVEN)
    assert list(found) == ["sampling", "likelihoods", "reference", "scoring"]
    parts = {name: t for part in block.parts for name, t in seconds(part, GIVEN).items()}
    assert found == parts and min(parts.values()) > 0
    # Likelihoods of 13 vectors in blocks of 7 and 6 are those of one block, but for prompts read again.
    blocks = [j for j in jobs if j.task == "assistant3" and j.stage == "evaluate"]
    mine = [
        j for j in blocks if "mi_epo" in j.runs and j.entry.name.startswith("mi_epo-assistant3-s0")
    ]
    assert sorted(j.block for j in (p.parts[0] for p in mine)) == [6, 7]
    whole = paper(generation={"vectors_per_job": None})
    in_one = seconds(one(jobs_of(whole), "assistant3", "evaluate", "mi_epo"), GIVEN)
    cut = sum(seconds(j, GIVEN)["likelihoods"] for j in mine)
    assert cut == pytest.approx(in_one["likelihoods"], rel=0.05)


def test_half_the_card_takes_twice_as_long(jobs):
    mine = one(jobs, "assistant2", "online", "mi_epo")
    card = card_of("A100")
    half = replace(card, flops=card.flops / 2, bandwidth=card.bandwidth / 2)
    assert gpu_hours(mine, replace(GIVEN, card=half)) == pytest.approx(2 * gpu_hours(mine, GIVEN))
    with pytest.raises(ConfigError, match=r"gpus.yaml has no 'A1000', but A100, .*data sheet"):
        card_of("A1000")


def test_every_printed_figure_is_called_an_estimate(monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["plan", "--configfile", str(PAPER), "--prompt-tokens", "99", "--gpu", "L4"]
    )
    plan_cost.main()
    printed = capsys.readouterr().out
    assert (
        printed.index("none is measured")
        < printed.index("99 tokens")
        < printed.index("(L4, ")
        < printed.index("|")
    )
    headings = [line for line in printed.splitlines() if line.startswith("#")]
    assert len(headings) == 2
    assert all("Estimated" in line for line in headings)
