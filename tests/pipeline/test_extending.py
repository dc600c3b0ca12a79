"""The steps of docs/extending.md, taken from its text: a new method trains, and has a row of its own."""

import json
import re
import subprocess
import sys
import textwrap

import pandas as pd
import pytest
import yaml

from moa.runtime.publishing import MANIFEST
from moa.workflow.config import resolve
from moa.workflow.inherit import read_config
from moa.workflow.plan import Plan
from support.checkouts import copy_repo, edited, snakemake
from support.paths import REPO
from support.tiny_jobs import make_here


def steps():
    """file -> the text that the section `Add a method` puts there."""
    text = (REPO / "docs" / "extending.md").read_text()
    section = text.split("## Add a method\n")[1].split("\n## ")[0]
    blocks = re.findall(r'^ +```\w+ title="(.+?)"\n(.*?)^ +```$', section, re.M | re.S)
    return {title: textwrap.dedent(block) for title, block in blocks}


def take(checkout, *, loss=True):
    """Follow the steps in a checkout. loss: else step 2 leaves the loss of MO-ODPO's line as it is."""
    found, scripts = steps(), checkout / "workflow_scripts"
    assert len(found) == 4
    (scripts / "moa/training/online_losses/twice.py").write_text(
        found["moa/training/online_losses/twice.py"]
    )
    line = found["moa/workflow/methods.py"]
    if not loss:
        line = line.replace('loss="twice"', 'loss="mi_epo"')
    methods = scripts / "moa/workflow/methods.py"
    edited(methods, ")\nMETHODS:", textwrap.indent(line, "    ") + ")\nMETHODS:")
    style = scripts / "moa/reporting/figures/style.py"
    line = found["moa/reporting/figures/style.py"]
    edited(style, "}\nOPTIMUM = ", f"    {line}}}\nOPTIMUM = ")
    config = yaml.safe_load((checkout / "tiny.yaml").read_text())
    config["tasks"]["safety"]["beta_w_sweep"] = []
    config["runs"] = [{"name": "mo_odpo", "method": "mo_odpo"}]
    config["runs"] += yaml.safe_load(found["config"])
    (checkout / "tiny.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extended")
    copy_repo(folder)
    take(folder)
    return folder


def test_a_new_method_by_the_documented_steps_trains_and_has_its_own_row(checkout):
    targets = [
        f"results/tiny/safety/{path}"
        for path in ("tables/summary.csv", "figures/pareto_fronts.pdf")
    ]
    jobs, _ = snakemake(checkout, "--", *targets)
    assert jobs["train_online"] == 2
    losses = {}
    for folder in (checkout / "results/store/online").glob("*-safety-s0-*"):
        assert (folder / MANIFEST).exists()
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        losses[folder.name.split("-")[0]] = json.loads(lines[0])["loss_alignment"]
    # Nothing was learned before the first step, so there the losses differ by the factor alone.
    assert losses["twice"] == pytest.approx(2 * losses["mo_odpo"])
    table = pd.read_csv(checkout / "results/tiny/safety/tables/summary.csv")
    assert "MO-ODPO, twice" in table.to_string() and len(table) == 2


def test_after_the_last_step_the_reference_is_current(checkout):
    (checkout / "docs").mkdir(exist_ok=True)
    program = [sys.executable, str(checkout / "workflow_scripts/write_config_reference.py")]
    stale = subprocess.run([*program, "--check"], capture_output=True, text=True, check=False)
    assert stale.returncode == 1 and "make config-docs" in stale.stderr
    subprocess.run(program, check=True)
    subprocess.run([*program, "--check"], check=True)
    assert '"twice"' in (checkout / "config/schema.json").read_text()


def test_a_method_whose_loss_was_forgotten_is_refused(tmp_path):
    copy_repo(tmp_path)
    take(tmp_path, loss=False)
    _, output = snakemake(tmp_path, "--dry-run", check=False)
    assert "runs.twice: it is the same as runs.mo_odpo to the last setting" in output


def test_the_methods_that_were_there_keep_their_keys(checkout, tmp_path):
    copy_repo(tmp_path)
    (tmp_path / "tiny.yaml").write_text(
        (checkout / "tiny.yaml").read_text().replace("twice", "sft")
    )
    _, before = snakemake(tmp_path, "--dry-run")
    _, after = snakemake(checkout, "--dry-run", "--forceall")
    online = [set(re.findall(r"online/m\w+-safety-s0-\w{12}", out)) for out in (before, after)]
    assert len(online[0]) == 1 and online[0] <= online[1]


@pytest.mark.filterwarnings("error:constrained_layout not applied")
def test_four_objectives_of_a_users_own_come_to_figures_and_tables(tmp_path):
    raw = read_config(REPO / "tests" / "four.yaml")
    plan = Plan(resolve({**raw, "store": str(tmp_path / "store")}))
    made = {}
    for path, (entry, file) in plan.views.items():
        make_here(tmp_path / "store", entry)
        made[path.removeprefix("results/four/kitchen_talk/")] = (
            tmp_path / "store" / entry.rel / file
        )
    table = made["tables/summary.md"].read_text()
    assert (
        "MI-EPO" in table and "2.70" not in table
    )  # no number of the paper's: the task names none
    assert {path.split("/")[1] for path in made if path.endswith(".png")} == {
        *("exploration.png", "metrics_by_run.png", "objective_best.png", "pareto_fronts.png"),
        *("reward_distributions.png", "reward_overlap.png", "training_curves.png"),
    }
    assert all(path.stat().st_size > 0 for path in made.values())
    metrics = json.loads(made["tables/summary.json"].read_text())
    assert metrics["objectives"] == ["brevity", "detail_2", "politeness", "no_digits"]
    fronts = [run for run in metrics["runs"].values() if run["hv"] is not None]
    assert len(fronts) == 4 and all(run["hv"]["mean"] >= 0 for run in fronts)
