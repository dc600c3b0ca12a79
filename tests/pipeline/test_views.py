"""Looking at a plan changes nothing, and running another one under the same name is said.

In a copy of the repository whose store holds a dummy entry for all that is planned, so no job runs.
"""

import json
import os

import pytest
import yaml

from moa.runtime.publishing import MANIFEST
from support.checkouts import copy_repo, snakemake
from support.made_up_tables import made_up
from support.tiny_store import publish, tiny_config, tiny_plan

PARETO = "results/tiny/safety/figures/pareto_fronts.pdf"
FIGURE = "workflow_scripts/moa/reporting/figures/pareto_fronts.py"
SEED = ("--config", "seeds=[1]")


@pytest.fixture
def checkout(tmp_path):
    """With links to all figures and tables of tests/tiny.yaml."""
    copy_repo(tmp_path)
    store = tmp_path / "results" / "store"
    plan = tiny_plan(store)
    files = {file for _, file in plan.views.values()}
    publish(store, plan.entries.values(), dummies(files))
    write_config(tmp_path / "fewer.yaml", runs=tiny_config(store)["runs"][-1:])
    write_config(tmp_path / "same.yaml", seeds=[1])
    jobs, _ = snakemake(tmp_path)
    assert jobs == {} and all((tmp_path / path).read_text() == "made" for path in plan.views)
    return tmp_path


def dummies(files):
    """What the links show, and what the end of a run reads."""
    return {**dict.fromkeys(files, "made"), "metrics.json": json.dumps(made_up())}


def write_config(path, **changes):
    config = {**tiny_config("results/store"), **changes}
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def state(checkout):
    """path -> (time of change, what it leads to) of all below results/."""
    found = [checkout / "results", *(checkout / "results").rglob("*")]
    return {p: (p.lstat().st_mtime_ns, p.is_symlink() and os.readlink(p)) for p in found}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--dry-run",),
        ("--dry-run", "--", PARETO),
        ("--list",),
        ("--lint",),
        ("--dag",),
        ("--rulegraph",),
        ("--summary",),
        ("--detailed-summary",),
        ("--list-params-changes",),
        ("--report", "report.html"),
        ("--unlock",),
    ],
    ids=" ".join,
)
def test_whatever_only_looks_changes_nothing(checkout, arguments):
    before = state(checkout)
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    for config, more in (("tiny.yaml", SEED), ("fewer.yaml", ()), ("same.yaml", ())):
        snakemake(checkout, *options, *more, *arguments[len(options) :], config=config, check=False)
        assert state(checkout) == before


def test_a_dry_run_plans_what_an_older_link_hides(checkout):
    module = checkout / FIGURE
    module.write_text(module.read_text() + "\nTOUCHED = True\n")
    for target in ((), ("--", PARETO), ("--", PARETO.replace(".pdf", ".png"))):
        assert snakemake(checkout, "--dry-run", *target)[0] == {"draw_figure": 1}
    assert (
        snakemake(checkout, "--dry-run", "--", PARETO.replace("pareto_fronts", "exploration"))[0]
        == {}
    )


def test_a_dry_run_finds_nothing_to_do_where_only_the_links_are_missing(checkout):
    (checkout / PARETO).unlink()
    assert snakemake(checkout, "--dry-run")[0] == {}
    assert not (checkout / PARETO).exists()
    assert snakemake(checkout)[0] == {}
    assert (checkout / PARETO).read_text() == "made"


def test_a_figure_that_a_config_does_not_make_is_named_with_those_it_makes(checkout):
    wrong = PARETO.replace("pareto", "parteo")
    _, output = snakemake(checkout, "--dry-run", "--", wrong, check=False)
    assert f"this config makes no {wrong}, but: " in output and PARETO in output
    _, output = snakemake(checkout, "--dry-run", "--", f"./{PARETO}", check=False)
    assert f"ask for {PARETO} just so" in output


def test_another_plan_under_the_same_name_is_said_once(checkout):
    publish_all(checkout, seeds=[1])
    signed = checkout / "results" / "tiny" / "plan.json"
    first, before = json.loads(signed.read_text()), os.readlink(checkout / PARETO)
    assert first["config"] == "tiny.yaml" and first["seeds"] == [0] and first["given"] == {}
    _, output = snakemake(checkout, config="same.yaml")
    said = (
        f"results/tiny shows another plan: until now that of tiny.yaml (plan {first['plan']}), "
        "from now on that of same.yaml (plan "
    )
    assert output.count(said) == 1 and os.readlink(checkout / PARETO) != before
    assert "shows another plan" not in snakemake(checkout, config="same.yaml")[1]
    _, output = snakemake(checkout, *SEED)  # the same by other means
    assert "shows another plan" not in output
    assert json.loads(signed.read_text())["given"] == {"seeds": [1]}
    _, output = snakemake(checkout)
    assert "until now that of tiny.yaml with seeds=[1] (plan " in output
    assert os.readlink(checkout / PARETO) == before


def publish_all(checkout, **changes):
    store = checkout / "results" / "store"
    plan = tiny_plan(store, **changes)
    missing = [a for a in plan.entries.values() if not (store / a.rel / MANIFEST).exists()]
    publish(store, missing, dummies({file for _, file in plan.views.values()}))


def test_what_was_run_with_other_seeds_is_remembered_by_the_store(checkout):
    publish_all(checkout, seeds=[0, 1])
    plans = checkout / "results" / "store" / "plans"
    assert snakemake(checkout, "--config", "seeds=[0,1]")[0] == {}
    given = [json.loads(path.read_text())["given"] for path in plans.iterdir()]
    assert sorted(given, key=len) == [{}, {"seeds": [0, 1]}]
    times = state(checkout)
    assert snakemake(checkout, "--config", "seeds=[0,1]")[0] == {}
    assert state(checkout) == times
