"""What a run says at its end, and while it goes on: a real Snakemake in a copy of the repository.

Its store holds a dummy entry for what is not looked at, with made-up metrics, so few jobs run.
"""

import json

import pytest
import yaml

from support.checkouts import copy_repo, snakemake
from support.made_up_tables import made_up
from support.tiny_store import publish, tiny_config, tiny_plan

SUMMARY = "results/tiny/safety/tables/summary.md"
HEADLINE = "SFT (!)        2.00 ± 0.06   0.25 ± 0.06  1.00 ± 0.06"
WARNING = "(!) SFT: w has no visible effect: mean control 0.10"
CALLABLE = "rewards_of_mine:harmless"
BROKEN = "def harmless(prompts, responses):\n    raise KeyError('no such word')\n"


def publish_but(checkout, config, *left_out):
    """Dummy entries for all that a config plans, but for what these stages make and all behind them."""
    store = checkout / "results" / "store"
    plan = tiny_plan(store, **config)
    files = dict.fromkeys({file for _, file in plan.views.values()}, "made")
    metrics = {**made_up(), "task": "safety", "config": "tiny"}
    for entry in plan.entries.values():
        behind = [plan.entries[rel] for rel in plan.jobs.behind(plan.jobs.making(entry))]
        if not any(left_out(other) for other in behind for left_out in left_out):
            publish(store, [entry], {**files, "metrics.json": json.dumps(metrics)})
    return plan


@pytest.fixture
def checkout(tmp_path):
    copy_repo(tmp_path)
    return tmp_path


def after(output, start):
    """The lines of the output from this one on."""
    lines = output.splitlines()
    assert start in lines, output[-4000:]
    return lines[lines.index(start) :]


def test_a_run_that_made_something_ends_with_its_numbers_and_what_to_do_next(checkout):
    publish_but(checkout, {}, lambda e: e.stage == "table" and e.name.startswith("summary"))
    jobs, output = snakemake(checkout)
    assert jobs == {"write_tables": 1}
    ending = after(output, HEADLINE)
    assert WARNING in ending
    said = " ".join(" ".join(ending).split())
    assert "tables results/tiny/safety/tables/ explorer results/tiny/safety/explorer.html" in said
    assert "Next, with CONFIG=tiny.yaml: make report" in said
    assert max(map(len, ending)) <= 100 and "\033" not in output
    assert "about 0s left" in output or "left" in output.split(HEADLINE)[0]


def test_a_run_that_finds_all_made_says_the_same_and_looking_says_nothing(checkout):
    publish_but(checkout, {})
    jobs, output = snakemake(checkout)
    assert jobs == {} and output.count(HEADLINE) == 1
    lines = after(output, HEADLINE)
    assert "Nothing to be done" in output.split(HEADLINE)[0] and WARNING in lines
    _, output = snakemake(checkout, "--", SUMMARY)  # one table: of its task alone
    lines = after(output, HEADLINE)
    assert "tables  results/tiny/safety/tables/" in lines and "explorer" not in "".join(lines)
    for looks in (("--dry-run",), ("--summary",), ("--dry-run", "--", SUMMARY)):
        assert HEADLINE not in snakemake(checkout, *looks)[1]
    made = (checkout / SUMMARY).resolve().parent.relative_to(checkout) / "manifest.json"
    assert HEADLINE not in snakemake(checkout, "--", str(made))[1]


def test_a_failing_reward_ends_with_its_reason_its_log_and_what_is_whole(checkout, monkeypatch):
    """Two runs of one of two tasks need it."""
    (checkout / "mine").mkdir()
    (checkout / "mine" / "rewards_of_mine.py").write_text(BROKEN)
    monkeypatch.setenv("PYTHONPATH", str(checkout / "mine"))
    config = tiny_config("results/store")
    config["runs"] = [run for run in config["runs"] if run["name"] in ("mo_odpo", "mi_epo")]
    del config["tasks"]["safety"]["beta_w_sweep"]
    broken = json.loads(json.dumps(config["tasks"]["safety"]))
    own = {"kind": "python_callable", "callable": CALLABLE, "version": "1"}
    broken["oracles"]["harmlessness"] = own
    config["tasks"]["broken"] = broken
    (checkout / "mine.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    changes = {key: config[key] for key in ("tasks", "runs")}
    needs = [lambda e: CALLABLE in json.dumps(e.spec["params"]), lambda e: e.stage == "data"]
    plan = publish_but(checkout, changes, *needs)
    jobs, output = snakemake(checkout, config="mine.yaml", check=False)
    assert jobs["score_offline"] == 1 and "train_online" not in jobs
    (entry,) = (e for e in plan.entries.values() if CALLABLE in json.dumps(e.spec["params"]))
    print(output[-3000:])
    raise AssertionError(entry)
