"""The status says of every run where it is, from files alone."""

import json
import os
import shutil
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml

from moa.datasets.shards import in_shards
from moa.runtime.attempts import ATTEMPTS
from moa.runtime.publishing import work_folder
from moa.tools.status import COLUMNS, Status
from moa.tools.terminal import duration, size, table
from moa.workflow.views import show_views
from support.paths import REPO
from support.tiny_store import begin, locked, publish, tiny_config, tiny_plan

SCRIPT = REPO / "workflow_scripts" / "show_status.py"
LINES = [
    {"step": 1, "raw_helpfulness": 0.25, "raw_harmlessness": -1.5, "loss": 1.0},
    {"step": 2, "raw_helpfulness": 0.5, "raw_harmlessness": -1.25, "loss": 0.9},
    {"step": 2, "epoch": 1.0},
]


@pytest.fixture
def plan(store):
    return tiny_plan(store)


def rows(plan, later=0.0):
    """run/seed -> its rows, each as a dict of the columns that are not empty."""
    found = {}
    for row in Status(plan, time.time() + later).rows("safety"):
        cells = {name: cell for name, cell in zip(COLUMNS, row, strict=True) if cell}
        found.setdefault(cells.pop("run/seed"), []).append(cells)
    return found


def counts(plan):
    return Status(plan, time.time()).summary()


def counted(plan):
    """How many entries there are without receipts, which hold nothing."""
    return sum(a.stage != "evaluate" for a in plan.entries.values())


def find(plan, stage, name=""):
    return next(a for a in plan.entries.values() if a.stage == stage and a.name.startswith(name))


def upstream(*entries):
    """All that these are made from, inputs first."""
    found = {}
    for entry in entries:
        for i in entry.inputs.values():
            found |= {a.rel: a for a in [*upstream(i), i]}
    return list(found.values())


def attempt(work, number=1, **end):
    """Append an attempt's start, and its end if it wrote one."""
    start = {"attempt": number, "started": "2026-01-01T00:00:00Z", "host": "n1", "pid": 7}
    with open(work / ATTEMPTS, "a") as handle:
        handle.write(json.dumps({**start, "slurm_job": f"471{number}"}) + "\n")
        if end:
            handle.write(json.dumps({"attempt": number, "ended": "later", **end}) + "\n")


def checkpoint(folder, step, last, age=0.0):
    (folder / f"checkpoint-{step}").mkdir(parents=True)
    path = folder / f"checkpoint-{step}" / "trainer_state.json"
    path.write_text(json.dumps({"global_step": step, "max_steps": last, "log_history": []}))
    os.utime(path, (time.time() - age,) * 2)


def shards(work, name, part=""):
    """Three shards, as an attempt under way keeps them."""
    attempt(work)
    folder = work / "checkpoints" / part
    in_shards(folder, name, 3, 1, lambda rows: pd.DataFrame({"row": [rows.start]}))


def test_a_config_that_was_never_run_has_begun_nothing(plan):
    found = rows(plan)
    assert list(found) == [
        *(f"{run}/0" for run in ("rlhf", "rewarded_soups", "ric", "mo_odpo", "mi_epo")),
        *("beta_w_0/0", "beta_w_0_01/0"),
    ]
    assert all(cells == [{"stage": "base", "state": "not begun"}] for cells in found.values())
    assert counts(plan).startswith(f"{counted(plan)} entries: 0 done, 0 running")
    assert counts(plan).endswith(f" {counted(plan)} not begun")


def test_a_done_run_shows_its_own_time_and_last_rewards(plan, store):
    text = "".join(json.dumps(line) + "\n" for line in LINES)
    publish(store, plan.entries.values(), {"metrics.jsonl": text})
    for entry in plan.entries.values():
        path = store / entry.rel / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "wall_seconds": 100.0}))
    (cells,) = rows(plan)["mi_epo/0"]  # trained, answered, scored, compared
    done = {"stage": "evaluate", "state": "done", "saved, age": "took 8m"}
    assert cells == {**done, "rewards": "0.50 -1.25"}
    assert rows(plan)["rlhf/0"][0]["saved, age"] == "took 7m"  # two experts
    assert f"{counted(plan)} done" in counts(plan)


def test_a_running_job_shows_its_step_its_rewards_and_its_slurm_job(plan, store):
    train = find(plan, "online", "mi_epo")
    publish(store, upstream(train))
    work = begin(store, train)
    attempt(work)
    checkpoints = work / "checkpoints"
    checkpoint(checkpoints, 20, 60, age=600)
    checkpoint(checkpoints, 40, 60, age=300)
    (checkpoints / "tmp-checkpoint-50").mkdir()
    checkpoint(checkpoints, "50.tmp", 60)
    half = json.dumps({"step": 41, "raw_helpfulness": 9.0})[:-3]
    text = "".join(json.dumps(line) + "\n" for line in LINES)
    (checkpoints / "metrics.jsonl").write_text(text + half)
    with locked(work):
        found = rows(plan)
        assert ", 1 running, 0 failed," in counts(plan)
    assert found["mi_epo/0"] == [
        {
            "stage": "online",
            "state": "running",
            "try": "1",
            "saved, age": "40/60 5m",
            "rewards": "0.50 -1.25",
            "slurm": "4711",
        }
    ]
    assert found["beta_w_0_01/0"] == found["mi_epo/0"]  # the same entry under another name
    assert found["mo_odpo/0"] == [{"stage": "online", "state": "not begun"}]


def test_a_killed_or_preempted_job_waits_for_retry_and_a_failed_one_does_not(plan, store):
    sft = find(plan, "sft")
    publish(store, upstream(sft))
    work = begin(store, sft)

    def now():
        (cells,) = rows(plan)["mi_epo/0"]
        return cells["state"], cells["try"], cells["slurm"]

    attempt(work, 1)  # killed: no end
    assert now() == ("waiting for retry", "1", "4711")
    attempt(work, 2, outcome="preempted", message="SIGTERM")
    assert now() == ("waiting for retry", "2", "4712")
    attempt(work, 3, outcome="failed", message="Traceback ...\nValueError: no data\n")
    assert now() == ("failed", "3", "4713")
    assert Status(plan, 0.0).failures() == [
        f"{sft.rel} failed: ValueError: no data\n  {work_folder(store, sft.key) / 'log.txt'}"
    ]
    assert ", 1 failed, 0 waiting for retry," in counts(plan)
    with open(work / ATTEMPTS, "a") as handle:
        handle.write('{"attempt": 4, "star')  # killed while it wrote
    assert now() == ("failed", "3", "4713")
    with locked(work):
        assert now()[0] == "running"


def test_a_job_whose_entry_was_deleted_is_to_be_done_again(plan, store):
    base = find(plan, "base")
    attempt(begin(store, base), outcome="published")
    assert rows(plan)["ric/0"] == [{"stage": "base", "state": "not begun"}]


def test_experts_under_way_have_a_row_each(plan, store):
    experts = [a for a in plan.entries.values() if a.stage == "expert"]
    publish(store, upstream(*experts))
    for entry, reward in zip(experts, (0.1, 0.2), strict=True):
        work = begin(store, entry)
        attempt(work)
        (work / "checkpoints").mkdir()
        name = entry.spec["params"]["objective"]
        line = json.dumps({"step": 1, f"raw_{name}": reward})
        (work / "checkpoints" / "metrics.jsonl").write_text(line + "\n")
    cells = rows(plan)["rewarded_soups/0"]
    assert [c["stage"] for c in cells] == ["expert helpfulness", "expert harmlessness"]
    assert [c["rewards"] for c in cells] == ["0.10 0.20"] * 2
    publish(store, experts[:1], {"metrics.jsonl": '{"raw_helpfulness": 0.3}\n'})
    (cell,) = rows(plan)["rewarded_soups/0"]
    assert (cell["stage"], cell["rewards"]) == ("expert harmlessness", "0.30 0.20")


def test_ric_shows_the_part_that_it_is_in(plan, store):
    ric = find(plan, "ric")
    publish(store, upstream(ric))
    work = begin(store, ric)
    attempt(work)
    checkpoints = work / "checkpoints"
    checkpoint(checkpoints / "offline" / "checkpoints", 50, 60, age=900)

    def saved(later=0.0):
        return rows(plan, later)["ric/0"][0]["saved, age"]

    assert saved() == "offline 50/60 15m"
    (checkpoints / "offline" / "done").mkdir()
    assert saved(later=300) == "offline done 5m"
    (checkpoints / "round1").mkdir()
    sampled = {"sampled": 32, "raw_helpfulness": 0.25, "raw_harmlessness": 0.75}
    (checkpoints / "round1" / "sampled.json").write_text(json.dumps(sampled))
    checkpoint(checkpoints / "round1" / "checkpoints", 10, 20, age=-60)
    assert saved(later=600) == "round1 10/20 9m"
    assert rows(plan)["ric/0"][0]["rewards"] == "0.25 0.75"


def test_generation_shows_its_shards_and_the_rewards_of_training(plan, store):
    generate = plan.ends["safety", "mi_epo", 0][0].inputs["generate"]
    publish(store, upstream(generate), {"metrics.jsonl": json.dumps(LINES[0]) + "\n"})
    shards(begin(store, generate), "vector")
    (cells,) = rows(plan, later=480)["mi_epo/0"]
    assert (cells["stage"], cells["saved, age"]) == ("generate", "3 shards 8m")
    assert cells["rewards"] == "0.25 -1.50"


def test_blocks_of_vectors_under_way_have_a_row_each_with_the_part_that_is_made(store):
    plan = tiny_plan(store, generation={"vectors_per_job": 5})
    first, second, third = plan.ends["safety", "mi_epo", 0]
    generated = [receipt.inputs["generate"] for receipt in (first, second, third)]
    asked = [first.inputs[stage] for stage in ("generate", "likelihoods", "reference")]
    publish(store, [*upstream(generated[0]), *asked])
    shards(begin(store, first.inputs["score"]), "scores", "vector3")
    shards(begin(store, generated[1]), "vector")
    for receipt in (first, second):
        attempt(begin(store, receipt))
    found = [(c["stage"], c["saved, age"]) for c in rows(plan, later=480)["mi_epo/0"]]
    assert found == [("score 0-4", "vector3 3 shards 8m"), ("generate 5-9", "3 shards 8m")]
    publish(store, [*generated[1:], *(r.inputs["score"] for r in (first, second, third)), first])
    assert [c["stage"] for c in rows(plan)["mi_epo/0"]] == ["likelihoods 5-9"]
    publish(store, [r.inputs["likelihoods"] for r in (second, third)])
    assert [c["stage"] for c in rows(plan)["mi_epo/0"]] == ["reference 5-9"]
    publish(store, [r.inputs["reference"] for r in (second, third)])
    assert rows(plan)["mi_epo/0"][0]["stage"] == "evaluate 5-9"
    publish(store, [second, third])
    assert rows(plan)["mi_epo/0"][0]["state"] == "done"


def test_of_a_block_that_failed_the_part_is_named_once(plan, store):
    receipt = plan.ends["safety", "mi_epo", 0][0]
    score = receipt.inputs["score"]
    publish(store, upstream(score))
    attempt(begin(store, score), outcome="failed", message="oracle harmlessness returned nan")
    attempt(begin(store, receipt), outcome="failed", message="its part score mi_epo failed")
    (said,) = Status(plan, 0.0).failures()
    assert said.startswith(f"{score.rel} failed: oracle harmlessness returned nan\n")
    assert ", 1 failed, " in counts(plan)


def test_the_longest_names_and_numbers_fit_120_columns():
    rows = [
        ("rewarded_soups/0", "expert harmlessness", "waiting for retry", "12", "80/90 12m", "", ""),
        (
            "ric/0",
            "ric",
            "running",
            "1",
            "round1 3800/4000 3.2h",
            "-12.35 -11.35 -10.47",
            "12345678",
        ),
        ("mo_odpo_scalarised/0", "online", "running", "1", "18000/20000 3.2h", "0.41", "12345679"),
    ]
    assert max(map(len, table(COLUMNS, rows).splitlines())) <= 120


def test_durations_and_sizes_have_the_unit_that_suits_them():
    assert [duration(s) for s in (-5, 90, 600, 9000, 3e5)] == ["0s", "90s", "10m", "2.5h", "3.5d"]
    assert [size(n) for n in (512, 1500, 2e9, 3e12)] == ["512 B", "1.5 kB", "2.0 GB", "3.0 TB"]


# The rest runs the program.


def show(folder, config):
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['show_status', '--configfile', 'tiny.yaml']\n"
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "assert not {'torch', 'pandas', 'transformers'} & sys.modules.keys()"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_shows_a_table_per_task_and_loads_nothing_heavy(tmp_path, plan, store):
    sft = find(plan, "sft")
    publish(store, upstream(sft))
    attempt(begin(store, sft), outcome="failed", message="the loss is not finite")
    before = sorted(tmp_path.rglob("*"))
    done = show(tmp_path, tiny_config(store))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "safety (rewards: helpfulness harmlessness)"
    assert lines[2].split() == ["rlhf/0", "sft", "failed", "1", "4711"]
    assert "3 done, 0 running, 1 failed" in done.stdout
    assert "failed: the loss is not finite" in lines[-2] and lines[-1].endswith("log.txt")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "tiny.yaml"])


def test_the_program_tells_what_is_left_where_similar_jobs_are_done(tmp_path, store):
    plan = tiny_plan(store)
    publish(store, plan.entries.values())
    for entry in plan.entries.values():
        path = store / entry.rel / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "wall_seconds": 60.0}))
    assert "left:" not in show(tmp_path, tiny_config(store)).stdout
    said = show(tmp_path, tiny_config(store, seeds=[0, 1])).stdout
    # Of the new seed: SFT, two online, two experts, RiC, four blocks of four parts and a receipt, which
    # takes as long here, and RLHF's of two; five policies; two metrics and the 15 that show them.
    whole, chain = 60 * (1 + 5 + 4 * 5 + 3 + 5 + 2 + 15), 60 * (1 + 1 + 5 + 2)
    assert (
        f"left: about {duration(whole)} of jobs one after the other, {duration(chain)} if" in said
    )


def test_from_another_folder_it_looks_in_the_checkouts_store_and_says_where(tmp_path):
    checkout, store = tmp_path / "checkout", tmp_path / "checkout" / "results" / "store"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SCRIPT.parent, checkout / "workflow_scripts", ignore=ignore)
    shutil.copytree(REPO / "config", checkout / "config")
    (checkout / "tiny.yaml").write_text(yaml.safe_dump(tiny_config("results/store")))
    plan = tiny_plan(store)
    publish(store, plan.entries.values(), dict.fromkeys([f for _, f in plan.views.values()], ""))
    show_views(plan, store, checkout)
    (checkout / "seed.yaml").write_text(yaml.safe_dump(tiny_config("results/store", seeds=[1])))
    for folder in (checkout, tmp_path):
        said = {}
        for config in ("tiny.yaml", "seed.yaml"):
            command = [sys.executable, str(checkout / "workflow_scripts" / SCRIPT.name)]
            command += ["--configfile", os.path.relpath(checkout / config, folder)]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
            said[config] = done.stdout
        assert f"{counted(plan)} entries: {counted(plan)} done" in said["tiny.yaml"]
        assert f"looked for in {store}" in said["tiny.yaml"]
        assert "older plan" not in said["tiny.yaml"]
        assert (
            "15 figures, tables, explorers or policies are in results/tiny of an older plan"
            in said["seed.yaml"]
        )


def test_a_mistake_in_the_config_is_one_message(tmp_path, store):
    done = show(tmp_path, tiny_config(store, onlin={}))
    assert done.returncode == 1
    assert done.stderr.startswith("tiny.yaml: config: unknown key 'onlin'; did you mean 'online'?")
