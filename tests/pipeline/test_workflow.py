"""The workflow as a user runs it: a real Snakemake over the tiny config, in a copy of the repository.

One pipeline is made once; each test then changes one thing and looks at what Snakemake makes anew.
"""

import base64
import json
import os
import re
import shutil

import pandas as pd
import pytest
import yaml

from moa.workflow.config import resolve
from moa.workflow.plan import Plan
from support.checkouts import add_oracle_kind, copy_repo, links, snakemake, status
from support.explorer_blocks import read_block, read_json, read_texts
from support.reports import read_reports
from support.said import check_said
from support.tiny_jobs import make_here
from support.tiny_store import tiny_plan

FIGURES = (
    "reward_overlap",
    "exploration",
    "pareto_fronts",
    "reward_distributions",
    "objective_best",
    "metrics_by_run",
    "training_curves",
    "beta_w_sweep",
)
PARETO = "results/tiny/safety/figures/pareto_fronts.pdf"
TABLE = "results/tiny/safety/tables/summary.csv"
EXPLORER = "results/tiny/safety/explorer.html"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")
    copy_repo(folder)
    jobs, output = snakemake(folder)
    (folder / "said.txt").write_text(output)
    assert jobs == {
        "prepare_data": 1,
        "build_base": 1,
        "score_offline": 1,
        "train_sft": 1,
        "train_online": 2,  # the sweep's two values are MO-ODPO and MI-EPO themselves
        "train_expert": 2,  # one per objective, shared by rlhf and rewarded_soups
        "train_ric": 1,
        "evaluate_block": 5,
        "describe_policy": 5,
        "compute_metrics": 2,
        "draw_figure": 8,
        "write_tables": 6,
        "write_explorer": 1,
    }
    return folder


def train_and_evaluate(checkout, config):
    """Make all that a config's metrics need in this process: no job has to start another."""
    store = checkout / "results" / "store"
    for entry in Plan(resolve({**config, "store": str(store)})).entries.values():
        if entry.stage == "evaluate":
            make_here(store, entry)


def metrics_entry(checkout):
    """The store entry of the metrics behind the current tables."""
    table = (checkout / "results" / "tiny" / "safety" / "tables" / "summary.md").resolve().parent
    spec = json.loads((table / "spec.json").read_text())
    return table.parent.parent / spec["inputs"]["metrics"]


def test_figures_tables_and_entries_are_there(checkout):
    results = checkout / "results" / "tiny" / "safety"
    for name in FIGURES:
        assert (results / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (results / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv(results / "tables" / "summary.csv")
    assert table["run"].tolist() == ["rewarded_soups", "ric", "mo_odpo", "mi_epo"]
    assert (table["hv_percent_of_optimum"] < 100).all()
    summary = (results / "tables" / "summary.md").read_text()
    assert "2.70" in summary  # the paper's own, quoted
    assert "Of 8 test prompts: this shows that the machinery works" in summary
    told = json.loads((results / "policies" / "mi_epo-s0" / "policy.json").read_text())
    assert (told["run"], told["seed"]) == ("mi_epo", 0)
    assert len(list((results / "policies").iterdir())) == 5
    for folder in (checkout / "results" / "store").glob("*/*-*/"):
        names = {p.name for p in folder.iterdir()}
        assert {"spec.json", "log.txt", "manifest.json"} <= names, folder
    assert not list((checkout / "results" / "work").iterdir())
    pairs = pd.read_csv(results / "tables" / "comparisons.csv")
    assert {("mi_epo", "mo_odpo"), ("mo_odpo", "ric")} <= set(
        zip(pairs["run"], pairs["against"], strict=True)
    )
    assert "nadir" in (results / "tables" / "references.md").read_text()
    sweep = json.loads((results / "tables" / "beta_w_sweep.json").read_text())
    assert {name: run["beta_w"] for name, run in sweep["runs"].items()} == {
        "beta_w_0": 0.0,
        "beta_w_0_01": 0.01,
    }
    logs = checkout / "results" / "logs" / "online"
    assert len(list(logs.glob("*.log"))) == len(list(logs.glob("*.tsv"))) == 2


def test_the_report_has_all_of_it_and_opens_from_disk(checkout, tmp_path):
    read_reports(checkout, tmp_path, FIGURES)
    assert snakemake(checkout)[0] == {}


def test_the_first_run_tells_what_it_still_takes_and_ends_with_the_numbers_of_its_table(checkout):
    check_said((checkout / "said.txt").read_text(), pd.read_csv(checkout / TABLE))


def test_training_logs_every_promised_figure(checkout):
    (folder,) = (checkout / "results" / "store" / "online").glob("mi_epo-*")
    steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    promised = {"loss", "loss_alignment", "loss_exploration", "w_distance", "identical", "empty"}
    promised |= {f"{x}_{o}" for x in ("raw", "ties") for o in ("helpfulness", "harmlessness")}
    assert promised <= set(steps[0])
    assert steps[0]["loss_exploration"] > 0


def test_a_second_run_does_nothing_and_a_dry_run_leaves_nothing(checkout, tmp_path):
    assert snakemake(checkout)[0] == {}
    assert not list((checkout / "results" / "work").iterdir())
    copy_repo(tmp_path)
    snakemake(tmp_path, "--dry-run")
    assert not (tmp_path / "results" / "work").exists()


def test_touching_one_figure_module_redraws_exactly_that_figure(checkout):
    module = checkout / "workflow_scripts" / "moa" / "reporting" / "figures" / "pareto_fronts.py"
    original, before = module.read_text(), os.readlink(checkout / PARETO)
    module.write_text(original + "\nTOUCHED = True\n")
    assert snakemake(checkout)[0] == {"draw_figure": 1}
    assert os.readlink(checkout / PARETO) != before
    module.write_text(original)
    assert snakemake(checkout)[0] == {}
    assert os.readlink(checkout / PARETO) == before


def test_a_single_figure_is_a_target(checkout):
    (checkout / PARETO).unlink()
    assert snakemake(checkout, "--", PARETO)[0] == {}  # its entry is there
    assert (checkout / PARETO).exists()
    jobs, output = snakemake(checkout, "--force", "--", PARETO, check=False)
    made = os.path.relpath((checkout / PARETO).resolve().parent / "manifest.json", checkout)
    assert jobs == {} and f"ask for {made}" in output
    assert snakemake(checkout, "--force", "--", made)[0] == {"draw_figure": 1}


def test_the_explorer_has_all_responses_and_is_made_anew_by_its_sources_alone(checkout):
    blocks = explorer_blocks(checkout)
    about = read_json(blocks, "about")
    assert [run["name"] for run in about["runs"]] == [
        *("rlhf", "rewarded_soups", "ric", "mo_odpo", "mi_epo")
    ]
    assert "Of 8 test prompts" in about["notes"][0]
    scores = checkout / "results" / "store" / "score"
    said = pd.concat(pd.read_parquet(path) for path in scores.glob("*/scores.parquet"))
    assert len(read_block(blocks, "tokens")) == 4 * len(said) == 4 * (4 * 11 + 2) * 8
    found = {p["id"]: own for p, own in zip(about["prompts"], read_texts(blocks), strict=True)}
    assert (
        found == said.groupby("prompt_id")["response"].apply(lambda own: sorted(set(own))).to_dict()
    )
    source = checkout / "workflow_scripts/moa/reporting/explorer/page/style.css"
    original = source.read_text()
    source.write_text(original + "\n")
    assert snakemake(checkout, "--dry-run", "--", EXPLORER)[0] == {"write_explorer": 1}
    assert snakemake(checkout, "--dry-run")[0] == {"write_explorer": 1}
    source.write_text(original)
    assert snakemake(checkout, "--", EXPLORER)[0] == {}


def test_changing_a_parameter_and_back_runs_nothing(checkout):
    config = yaml.safe_load((checkout / "tiny.yaml").read_text())
    config["metrics"]["bootstrap_resamples"] = 21
    (checkout / "changed.yaml").write_text(yaml.safe_dump(config))
    jobs, _ = snakemake(checkout, "--dry-run", config="changed.yaml")
    reports = {"draw_figure": 8, "write_tables": 6, "write_explorer": 1}
    assert jobs == {"compute_metrics": 2, **reports}
    jobs, _ = snakemake(checkout, "--", TABLE, config="changed.yaml")
    assert jobs == {"compute_metrics": 1, "write_tables": 1}
    assert snakemake(checkout)[0] == {}


def test_a_run_is_added_by_config_alone(checkout):
    config = yaml.safe_load((checkout / "tiny.yaml").read_text())
    config["runs"] += [
        {"name": "mo_odpo_scalarised", "method": "mo_odpo", "overrides": {"labels": "scalarised"}},
        {"name": "soups_factors", "method": "rewarded_soups", "overrides": {"merge": "factors"}},
        {"name": "narrow", "method": "mi_epo", "overrides": {"beta_w": 0.1, "lora": {"rank": 2}}},
    ]
    (checkout / "added.yaml").write_text(yaml.safe_dump(config))
    jobs, _ = snakemake(checkout, "--dry-run", config="added.yaml")
    assert jobs == {
        "train_online": 2,  # a soup of the same experts trains nothing
        "evaluate_block": 3,
        "describe_policy": 3,
        "compute_metrics": 1,
        "draw_figure": 7,
        "write_tables": 5,
        "write_explorer": 1,
    }
    train_and_evaluate(checkout, config)
    jobs, _ = snakemake(checkout, "--", TABLE, config="added.yaml")
    assert jobs == {"compute_metrics": 1, "write_tables": 1}
    table = pd.read_csv(checkout / TABLE)
    assert {"mo_odpo_scalarised", "soups_factors", "narrow"} <= set(table["run"])
    (narrow,) = (checkout / "results" / "store" / "online").glob("narrow-*")
    assert json.loads((narrow / "adapter" / "adapter_config.json").read_text())["r"] == 2
    assert snakemake(checkout)[0] == {}


def test_judges_are_added_by_config_alone_and_train_nothing(checkout):
    config = yaml.safe_load((checkout / "tiny.yaml").read_text())
    task = config["tasks"]["safety"]
    task["judges"] = {name: {"kind": "synthetic_proxy"} for name in task["objectives"]}
    (checkout / "judged.yaml").write_text(yaml.safe_dump(config))
    jobs, _ = snakemake(checkout, "--dry-run", config="judged.yaml")
    assert jobs == {
        "score_offline": 1,
        "evaluate_block": 5,
        "compute_metrics": 2,
        "draw_figure": 10,
        "write_tables": 6,
        "write_explorer": 1,
    }
    store = checkout / "results" / "store"
    generated = {folder.name for folder in (store / "generate").iterdir()}
    made = Plan(resolve({**config, "store": str(store)})).entries.values()
    for entry in (e for e in made if e.stage in ("oracle_stats", "evaluate")):
        make_here(store, entry)
    assert {folder.name for folder in (store / "generate").iterdir()} == generated
    assert len(list((store / "score").glob("*-judges-*"))) == 5
    jobs, _ = snakemake(checkout, "--", TABLE, EXPLORER, config="judged.yaml")
    assert jobs == {"compute_metrics": 1, "write_tables": 1, "write_explorer": 1}
    about = read_json(explorer_blocks(checkout), "about")
    assert [by["name"] for by in about["by"]] == ["oracles", "judges"]
    table = pd.read_csv(checkout / TABLE)
    assert table["by"].tolist() == ["oracles"] * 4 + ["judges"] * 4
    own, judged = (table[table["by"] == by].set_index("run") for by in ("oracles", "judges"))
    assert own["gap_hv"].isna().all()
    assert judged["gap_hv"].to_numpy() == pytest.approx((own["hv"] - judged["hv"]).to_numpy())
    assert "by the judges" in (checkout / TABLE).with_suffix(".md").read_text()
    assert snakemake(checkout)[0] == {}


def test_renaming_a_run_makes_only_its_reports_anew(checkout):
    config = (checkout / "tiny.yaml").read_text()
    (checkout / "renamed.yaml").write_text(config.replace("{name: mi_epo,", "{name: ours,"))
    jobs, _ = snakemake(checkout, "--dry-run", config="renamed.yaml")
    reports = {"draw_figure": 7, "write_tables": 5, "write_explorer": 1}
    assert jobs == {"compute_metrics": 1, "describe_policy": 1, **reports}
    jobs, _ = snakemake(checkout, "--", TABLE, config="renamed.yaml")
    assert jobs == {"compute_metrics": 1, "write_tables": 1}
    assert snakemake(checkout)[0] == {}


def test_three_objectives_have_a_front_of_their_own(checkout):
    config = yaml.safe_load((checkout / "tiny.yaml").read_text())
    task = config["tasks"].pop("safety")
    task["objectives"] += ["humor"]
    task["paper"] = None
    task["oracles"]["humor"] = {"kind": "synthetic_world"}
    del task["beta_w_sweep"]
    config["tasks"]["assistant3"] = task
    config["runs"] = [run for run in config["runs"] if run["name"] in ("rlhf", "mi_epo")]
    front = "results/tiny/assistant3/figures/front_3d.pdf"
    table = "results/tiny/assistant3/tables/summary.csv"
    (checkout / "three.yaml").write_text(yaml.safe_dump(config))
    jobs, _ = snakemake(checkout, "--dry-run", "--", front, table, config="three.yaml")
    assert jobs["train_expert"] == 3 and jobs["draw_figure"] == 1
    train_and_evaluate(checkout, config)
    jobs, _ = snakemake(checkout, "--", front, table, config="three.yaml")
    assert jobs == {"compute_metrics": 1, "draw_figure": 1, "write_tables": 1}
    assert (checkout / front).read_bytes().startswith(b"%PDF")
    assert pd.read_csv(checkout / table)["run"].tolist() == ["mi_epo"]


def test_a_second_checkout_with_the_same_store_runs_nothing(checkout, tmp_path):
    copy_repo(tmp_path)
    config = yaml.safe_load((tmp_path / "tiny.yaml").read_text())
    config["store"] = str(checkout / "results" / "store")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config))
    assert snakemake(tmp_path)[0] == {}
    assert (tmp_path / PARETO).read_bytes() == (checkout / PARETO).read_bytes()


def test_an_entry_without_a_manifest_is_made_again(checkout):
    (metrics_entry(checkout) / "manifest.json").unlink()
    ((checkout / TABLE).resolve().parent / "manifest.json").unlink()
    jobs, _ = snakemake(checkout, "--", TABLE)
    assert jobs == {"compute_metrics": 1, "write_tables": 1}


def test_two_runs_of_one_spec_give_the_same_bytes(checkout, store):
    first = metrics_entry(checkout)
    plan = tiny_plan(store)
    second = next(entry for entry in plan.entries.values() if entry.rel.endswith(first.name))
    make_here(store, second)  # without Snakemake, in one process
    made = (store / second.rel / "metrics.json").read_bytes()
    assert made == (first / "metrics.json").read_bytes()


def test_a_job_that_published_before_its_snakemake_died_hides_nothing_behind_it(checkout, tmp_path):
    """Snakemake marks a job as incomplete until it has seen it end."""
    copy_repo(tmp_path)
    shutil.copytree(checkout / "results" / "store", tmp_path / "results" / "store")
    shutil.rmtree(tmp_path / "results" / "store" / "metrics")
    shutil.rmtree(tmp_path / "results" / "store" / "table")
    markers = tmp_path / ".snakemake" / "incomplete"
    markers.mkdir(parents=True)
    for manifest in (tmp_path / "results" / "store" / "evaluate").glob("mi_epo-*/manifest.json"):
        output = manifest.relative_to(tmp_path).as_posix()
        (markers / base64.b64encode(output.encode()).decode()).write_text("{}")
    jobs, _ = snakemake(tmp_path, "--", TABLE)
    assert jobs == {"compute_metrics": 1, "write_tables": 1}
    assert (tmp_path / TABLE).exists()


def test_a_mistake_in_the_config_stops_before_any_job_with_one_message(checkout):
    config = yaml.safe_load((checkout / "tiny.yaml").read_text())
    config["online"]["beta_W"] = 0.1
    (checkout / "wrong.yaml").write_text(yaml.safe_dump(config))
    jobs, output = snakemake(checkout, config="wrong.yaml", check=False)
    assert jobs == {}
    assert "online: unknown key 'beta_W'; did you mean 'beta_w'?" in output
    assert "Traceback" not in output


def test_a_failing_job_says_why_in_one_line_and_publishes_nothing(checkout, tmp_path):
    copy_repo(tmp_path)
    source = (
        "import numpy as np\n\n\n"
        "class Broken:\n"
        "    objective = 'harmlessness'\n\n"
        "    def score(self, prompts, responses):\n"
        "        return np.full(len(prompts), np.nan)\n\n\n"
        "def load(objective, params, entry):\n"
        "    return Broken()\n"
    )
    add_oracle_kind(tmp_path, "broken", source)
    config = (tmp_path / "tiny.yaml").read_text()
    config = config.replace("harmlessness: {kind: synthetic_world}", "harmlessness: {kind: broken}")
    config += f"store: {checkout / 'results' / 'store'}\n"
    (tmp_path / "tiny.yaml").write_text(config)
    jobs, output = snakemake(tmp_path, check=False)
    assert jobs == {"score_offline": 1}
    said = [line for line in output.splitlines() if "oracle harmlessness returned nan" in line]
    assert said and all("for the prompt" in line for line in said)
    assert "Traceback" not in output
    assert not (tmp_path / "results" / "tiny" / "safety" / "tables").exists()


def test_a_figure_of_older_style_stays_until_it_is_replaced_and_is_told(checkout):
    """One figure is redrawn; the others go on showing what they showed."""
    style = checkout / "workflow_scripts" / "moa" / "reporting" / "figures" / "style.py"
    folder = checkout / "results" / "tiny" / "safety" / "figures"
    assert snakemake(checkout)[0] == {}
    original, before = style.read_text(), links(folder)
    style.write_text(original + "\nTOUCHED = True\n")
    assert snakemake(checkout, "--dry-run")[0] == {"draw_figure": 8, "write_explorer": 1}
    jobs, output = snakemake(checkout, "--", PARETO)
    assert jobs == {"draw_figure": 1}
    changed = {path for path, target in links(folder).items() if target != before[path]}
    assert changed == {"pareto_fronts.pdf", "pareto_fronts.png"} and len(before) == 16
    assert (folder / "exploration.pdf").read_bytes().startswith(b"%PDF")
    told = (
        "8 figures, tables, explorers or policies are in results/tiny of an older plan: "
        "safety/figures/"
    )
    assert told in output and told in status(checkout)
    assert snakemake(checkout, "--dry-run")[0] == {"draw_figure": 7, "write_explorer": 1}
    style.write_text(original)
    jobs, output = snakemake(checkout)
    assert jobs == {} and links(folder) == before
    assert "makes what is older anew" not in output + status(checkout)


def test_a_view_that_an_interrupted_run_left_behind_is_set_by_the_next(checkout):
    """Its entry was published, but the run ended before the link was set."""
    right = os.readlink(checkout / PARETO)
    (checkout / PARETO).unlink()
    (checkout / PARETO).symlink_to("../../../store/figure/an-older-one/pareto_fronts.pdf")
    assert snakemake(checkout, "--dry-run")[0] == {} and os.readlink(checkout / PARETO) != right
    assert snakemake(checkout)[0] == {} and os.readlink(checkout / PARETO) == right


def explorer_blocks(checkout):
    """name -> data of the page."""
    text = (checkout / EXPLORER).read_text()
    return dict(re.findall(r'<script type="\S+" id="([\w-]+)">(.*?)<', text))
