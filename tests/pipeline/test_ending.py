"""What a run says at its end, and while it goes on: a real Snakemake in a copy of the repository.

Its store holds a dummy entry for what is not looked at, with made-up metrics, so few jobs run.
"""

import json
import shutil
from copy import deepcopy

import pytest
import yaml

from support.checkouts import copy_repo, snakemake
from support.made_up_tables import made_up
from support.tiny_store import publish, tiny_config, tiny_plan

SUMMARY = "results/tiny/safety/tables/summary.md"
HEADLINE = "SFT (!)        2.00 ± 0.06   0.25 ± 0.06  1.00 ± 0.06"
WARNING = "(!) SFT: w has no visible effect: mean control 0.10"
CALLABLE = "rewards_of_mine:harmless"
REPORTS = "15 of 15 figures, tables, explorers and policies"
BROKEN = "def harmless(prompts, responses):\n    raise KeyError('no such word')\n"


def publish_but(checkout, left_out=lambda entry: False, **changes):
    """Dummy entries for all that a config plans, but for these and what is made from them."""
    store = checkout / "results" / "store"
    plan = tiny_plan(store, **changes)
    out = {e.rel for e in plan.entries.values() if left_out(e)}
    files = dict.fromkeys({file for _, file in plan.views.values()}, "made")
    metrics = {**made_up(), "task": "safety", "config": "tiny"}
    for entry in plan.entries.values():
        if out & {entry.rel, *(i.rel for i in entry.inputs.values())}:
            out.add(entry.rel)
        else:
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
    publish_but(checkout, lambda e: e.stage == "table" and e.name.startswith("summary"))
    jobs, output = snakemake(checkout)
    assert jobs == {"write_tables": 1}
    ending = after(output, HEADLINE)
    assert WARNING in ending
    said = " ".join(" ".join(ending).split())
    assert "tables results/tiny/safety/tables/ explorer results/tiny/safety/explorer.html" in said
    assert "Next, with CONFIG=tiny.yaml: make report" in said
    own = [line for line in ending if "snakemake.log" not in line]
    assert max(map(len, own)) <= 100 and "\033" not in output
    assert "left\n" in output.split(HEADLINE)[0]  # other tables told how long one takes


def test_a_run_that_finds_all_made_says_the_same_and_looking_says_nothing(checkout):
    publish_but(checkout)
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
    broken = deepcopy(config["tasks"]["safety"])
    broken["data"]["n_test"] = 9
    own = {"kind": "python_callable", "callable": CALLABLE, "version": "1"}
    broken["oracles"]["harmlessness"] = own
    config["tasks"]["broken"] = broken
    (checkout / "mine.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    changed = {key: config[key] for key in ("tasks", "runs")}
    plan = publish_but(checkout, lambda e: CALLABLE in json.dumps(e.spec["params"]), **changed)
    shutil.rmtree(checkout / "results" / "store" / plan.shared["broken"]["data"].rel)
    jobs, output = snakemake(checkout, config="mine.yaml", check=False)
    assert jobs == {"prepare_data": 1, "score_offline": 1}
    job = plan.shared["broken"]["oracle_stats"]
    end = after(output, "Failed:")
    said = " ".join(" ".join(end).split())
    why = f"{job.rel}: oracle harmlessness: {CALLABLE} raised KeyError: 'no such word' for 64 responses"
    assert f"Failed: {why}" in said and "Traceback" not in said
    assert f"    all it said: results/work/{job.key}/log.txt" in end
    whole = f"Whole, and kept: safety 2 of 2 runs {REPORTS} broken 0 of 2 runs 0 of"
    assert whole in said and "policies not mo_odpo/0, mi_epo/0" in said
    assert "only what is missing is made" in said
    assert HEADLINE not in output
