"""What a run says at its end, from made-up metrics."""

import json
from copy import deepcopy

import pytest

from moa.runtime.attempts import ATTEMPTS
from moa.tools import ending
from moa.tools.durations import Durations
from moa.tools.status import Status
from support.made_up_tables import made_up
from support.tiny_store import begin, publish, tiny_config, tiny_plan


@pytest.fixture
def plan(store):
    return tiny_plan(store)


def publish_all(store, plan, metrics):
    files = dict.fromkeys({file for _, file in plan.views.values()}, "made")
    publish(store, plan.entries.values(), {**files, "metrics.json": json.dumps(metrics)})


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_a_task_is_a_short_table_with_the_spread_over_seeds_and_its_warnings():
    text = ending.headline(made_up(seeds=3))
    lines = text.splitlines()
    assert lines[0].split() == ["t", "HV", "↑", "MIP", "↑", "CRD", "↓"]
    assert " ".join(lines[1].split()) == "SFT (!) 2.00 ± 0.06 0.25 ± 0.06 1.00 ± 0.06"
    assert " ".join(lines[4].split()) == "MI_EPO 8.00 ± 0.06 1.00 ± 0.06 0.25 ± 0.06"
    assert not any(line.startswith("RLHF") for line in lines)  # has points, but no HV
    assert lines[6] == "(!) SFT: w has no visible effect: mean control 0.10"
    assert len(lines) == 7 and max(map(len, lines)) <= 100


def test_of_one_seed_the_interval_over_prompts_is_shown():
    lines = ending.headline(made_up(seeds=1)).splitlines()
    assert "2.00 [1.88, 2.12]" in lines[1]


def test_a_warning_of_several_runs_is_said_once_and_many_runs_are_cut():
    metrics = made_up(seeds=1, **{f"run{i}": 1.0 + i for i in range(20)})
    for run in metrics["runs"].values():
        run["warnings"] = ["w has no visible effect on " + ", ".join(["an objective"] * 12)]
    lines = ending.headline(metrics).splitlines()
    assert lines[13] == "and 8 more runs, in summary.md"
    warned = " ".join(lines[14:])
    assert warned.count("(!)") == 1 and "RUN3, RUN4, and 15 more: w has" in warned
    assert max(map(len, lines)) <= 100


def test_success_shows_each_task_where_all_is_and_what_to_do_next(store, plan):
    publish_all(store, plan, made_up(seeds=1))
    text = ending.success(plan, "config/mine.yaml", plan.views)
    lines = rows(text)
    assert "[95 % interval over prompts], of one seed" in text
    assert ["tables", "results/tiny/safety/tables/"] in lines
    assert ["figures", "results/tiny/safety/figures/"] in lines
    assert ["explorer", "results/tiny/safety/explorer.html"] in lines
    assert "Next, with CONFIG=config/mine.yaml:\n  make report " in text
    assert "results/tiny/report.html" in text
    assert "CONFIG=" not in ending.success(plan, "config/synthetic.yaml", plan.views)
    assert text.count("MI_EPO ") == 1 and max(map(len, text.splitlines())) <= 100


def test_several_tasks_share_the_lines_that_say_where_all_is(store):
    tasks = tiny_config(store)["tasks"]
    second = deepcopy(tasks["safety"])
    second["data"]["n_test"] = 9
    plan = tiny_plan(store, tasks={**tasks, "second": second})
    publish_all(store, plan, made_up(seeds=1))
    text = ending.success(plan, "tiny.yaml", plan.views)
    assert text.count("MI_EPO ") == 2 and text.count("95 %") == 1
    assert ["explorer", "results/tiny/<task>/explorer.html"] in rows(text)
    assert ["tables", "results/tiny/<task>/tables/", "results/tiny/tables/"] in rows(text)
    one = [path for path in plan.views if "/second/figures/" in path]
    text = ending.success(plan, "tiny.yaml", one)
    assert ["figures", "results/tiny/second/figures/"] in rows(text)
    assert "explorer" not in text and text.count("MI_EPO ") == 1


def test_what_is_not_made_is_not_shown(store, plan):
    publish_all(store, plan, made_up(seeds=1))
    table, _ = plan.views["results/tiny/safety/tables/summary.json"]
    (store / table.inputs["metrics"].rel / "manifest.json").unlink()
    assert "MI_EPO" not in ending.success(plan, "tiny.yaml", plan.views)


def failing(store, plan, stage, name="", message=None):
    """Publish all but one job and what needs it; that has failed."""
    job = next(a for a in plan.entries.values() if a.stage == stage and a.name.startswith(name))
    whole = [
        a
        for a in plan.entries.values()
        if job.rel not in plan.jobs.behind(plan.jobs.making(a)) and a.rel != job.rel
    ]
    publish(store, whole)
    attempt = {"attempt": 1, "started": "2026-01-01T00:00:00Z"}
    end = {"attempt": 1, "outcome": "failed", "message": message}
    work = begin(store, job)
    lines = [attempt, *([end] if message else [])]
    (work / ATTEMPTS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return job


def test_a_failure_names_the_job_why_its_log_the_runs_behind_it_and_what_is_whole(store, plan):
    job = failing(
        store, plan, "expert", "harm", "Traceback:\n  x\nValueError: no " + "reward " * 20
    )
    status = Status(plan, 0.0)
    text = ending.failure(plan, status, status.failed([job]), plan.views)
    lines = text.splitlines()
    assert lines[:1] == ["Failed:"]
    assert lines[1].startswith(f"  {job.rel}: ValueError: no reward")
    assert max(len(line) for line in lines if "log.txt" not in line) <= 100
    assert f"    all it said: {store.parent / 'work' / job.key / 'log.txt'}" in lines
    said = " ".join(text.split())
    # The sweep's metrics need no expert.
    assert (
        "safety 5 of 7 runs 5 of 20 figures, tables, explorers and policies not rlhf/0, "
        "rewarded_soups/0" in said
    )
    assert "run the same command again" in said


def test_of_a_job_that_was_killed_the_log_tells_what_it_printed_last(store, plan):
    job = failing(store, plan, "ric")
    logs = store.parent / "logs"
    (logs / "ric").mkdir(parents=True)
    (logs / f"{job.rel}.log").write_text("step 1\nKilled\n\n")
    (found,) = Status(plan, 0.0).failed([job], logs)
    assert found.why == "no message, as if killed; it said last: Killed"
    assert found.log == logs / f"{job.rel}.log"


def test_a_message_of_an_earlier_run_is_no_reason_of_this_one(store, plan):
    job = failing(store, plan, "ric", message="ValueError: mended since")
    logs = store.parent / "logs"
    (logs / "ric").mkdir(parents=True)
    (logs / f"{job.rel}.log").write_text("ModuleNotFoundError: no module\n")
    status = Status(plan, 0.0)
    assert status.failed([job], logs)[0].why == "ValueError: mended since"
    (found,) = status.failed([job], logs, since=2e9)
    assert found.why.endswith("it said last: ModuleNotFoundError: no module")


def test_a_stopped_run_has_failed_nowhere(store, plan):
    failing(store, plan, "ric")
    text = ending.failure(plan, Status(plan, 0.0), [], plan.views)
    assert text.startswith("Whole, and kept:") and "Nothing failed: the run was stopped." in text


def test_while_it_runs_it_says_what_runs_what_failed_and_what_is_left(store, plan):
    job = failing(store, plan, "ric", message="no")
    online = next(a for a in plan.entries.values() if a.stage == "online")
    status = Status(plan, 0.0)
    todo = status.unfinished()

    def said(running, failed, queued=False):
        durations = Durations(plan, store.parent / "logs")
        return ending.going_on(status, durations, todo, running, failed, 2, queued)

    assert said([], [job]) == "1 failed"  # all else waits for it
    text = said([online], [])
    assert text.startswith(f"running: online {online.name}") and "failed" not in text
    assert said([online] * 5, [], queued=True).startswith("queued or running: online")
    assert "and 2 more" in said([online] * 5, [])
