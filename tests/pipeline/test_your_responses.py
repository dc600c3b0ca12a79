"""The examples of docs/your_responses.md, taken from its text: in the workflow, and by `make compare`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from moa.workflow.plan import read_plan
from support.checkouts import copy_repo, snakemake
from support.explorer_blocks import read_block, read_json
from support.paths import REPO
from support.tiny_jobs import make_here

SAFETY = "results/mine/safety"
TARGETS = [
    f"{SAFETY}/{path}"
    for path in (
        *("tables/summary.md", "tables/comparisons.md", "explorer.html"),
        *("figures/metrics_by_run.pdf", "figures/pareto_fronts.pdf"),
    )
]


def blocks() -> dict[str, str]:
    """title -> text of the page's blocks."""
    text = (REPO / "docs" / "your_responses.md").read_text()
    return dict(re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```$', text, re.M | re.S))


def run_block(folder: Path, name: str) -> None:
    (folder / name).write_text(blocks()[name])
    subprocess.run([sys.executable, name], cwd=folder, check=True)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which the page's steps were taken, with the tiny config as its default one."""
    folder = tmp_path_factory.mktemp("checkout")
    copy_repo(folder)
    tiny = yaml.safe_load((folder / "tiny.yaml").read_text())
    other = {**tiny["tasks"]["safety"], "beta_w_sweep": []}
    tiny["tasks"] |= {"assistant2": other, "assistant3": other}
    tiny |= {"name": "synthetic", "runs": [{"name": "mi_epo", "method": "mi_epo"}]}
    (folder / "config" / "synthetic.yaml").write_text(yaml.safe_dump(tiny))
    table = "results/synthetic/safety/tables/summary.json"
    plan = read_plan(folder / "config" / "synthetic.yaml", checkout=folder)
    # In this process, so that no job has to start.
    for entry in (*plan.ends["safety", "mi_epo", 0], plan.views[table][0]):
        make_here(folder / "results" / "store", entry)
    assert snakemake(folder, "--", table, config="config/synthetic.yaml")[0] == {}  # links it
    (folder / "config" / "mine.yaml").write_text(blocks()["config/mine.yaml"])
    assert blocks()["in the workflow"] == "make run CONFIG=config/mine.yaml\n"
    run_block(folder, "answer.py")
    jobs, _ = snakemake(folder, "--", *TARGETS, config="config/mine.yaml")
    assert jobs == {
        "read_responses": 1,
        "evaluate_block": 1,
        "compute_metrics": 1,
        "draw_figure": 2,
        "write_tables": 2,
        "write_explorer": 1,
    }
    return folder


def metrics(checkout: Path) -> dict[str, Any]:
    return json.loads((checkout / SAFETY / "tables/summary.json").read_text())


def test_such_a_run_is_scored_and_compared_like_any_other(checkout: Path) -> None:
    run = metrics(checkout)["runs"]["mine"]
    assert all(run["hv"][key] is not None for key in ("low", "mean", "high")) and run["control"]
    pairs = pd.read_csv(checkout / SAFETY / "tables/comparisons.csv")
    assert pairs[["run", "against"]].drop_duplicates().to_numpy().tolist() == [["mi_epo", "mine"]]
    (read,) = (checkout / "results/store/responses").glob("mine-safety-s0-*")
    assert json.loads((read / "manifest.json").read_text())["notes"]["rows"] == {
        "of this seed": 88,
        "of others": 0,
    }
    (scored,) = (checkout / "results/store/score").glob("mine-safety-s0-*")
    (own,) = (checkout / "results/store/score").glob("mi_epo-*-s0-*")
    columns = ["seed", "vector", "prompt_id", "prompt", "w_helpfulness", "w_harmlessness"]
    given, sampled = (pd.read_parquet(f / "scores.parquet") for f in (scored, own))
    pd.testing.assert_frame_equal(given[columns], sampled[columns])
    assert set(given.columns) == set(sampled.columns)


def test_what_only_a_policy_tells_is_missing_and_no_zero(checkout: Path) -> None:
    run = metrics(checkout)["runs"]["mine"]
    assert run["decodability"] is run["kl"] is run["kl_per_token"] is None
    assert run["health"]["tokens"] is run["health"]["finished"] is None
    row = pd.read_csv(checkout / SAFETY / "tables/summary.csv").set_index("run").loc["mine"]
    unknown = [
        "decodability_nats",
        "kl_nats",
        "kl_nats_per_token",
        "response_tokens",
        "finished_share",
    ]
    assert row[unknown].isna().all() and row["distinct_share"] == 1
    table = (checkout / SAFETY / "tables/summary.md").read_text()
    (line,) = (line for line in table.splitlines() if line.startswith("| mine"))
    assert line.endswith(" | – | – / – | – | – / 100 |")
    assert "–: of responses out of a file nothing tells how probable they are" in table
    found = explorer(checkout / SAFETY / "explorer.html")
    names = [run["name"] for run in read_json(found, "about")["runs"]]
    tokens = memoryview(read_block(found, "tokens")).cast("i")
    finished = memoryview(read_block(found, "finished")).cast("b")
    assert names == ["mi_epo", "mine"] and len(tokens) == 2 * 88
    assert {*tokens[88:]} == {*finished[88:]} == {-1} and min(tokens[:88]) >= 0


def explorer(path: Path) -> dict[str, str]:
    pattern = r'<script type="application/octet-stream" id="([^"]+)">([^<]*)</script>'
    return dict(re.findall(pattern, path.read_text()))


def test_a_row_that_is_gone_ends_the_job_and_scores_are_not_read(checkout: Path) -> None:
    path = checkout / "config" / "mine_safety.jsonl"
    original, before = path.read_text(), metrics(checkout)["runs"]["mine"]
    target = ("--", f"{SAFETY}/tables/summary.md")
    rows = original.splitlines(keepends=True)
    path.write_text("".join(rows[:4] + rows[5:]))
    jobs, output = snakemake(checkout, *target, config="config/mine.yaml", check=False)
    assert jobs == {"read_responses": 1} and "Traceback" not in output
    assert "config/mine_safety.jsonl: 1 of 88 responses of seed 0 are missing, the prompt" in output

    scored = [{**json.loads(row), "scores": {"helpfulness": 99}} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in scored))
    jobs, output = snakemake(checkout, *target, config="config/mine.yaml")
    assert jobs["read_responses"] == 1 and "config/mine_safety.jsonl are not read" in output
    assert metrics(checkout)["runs"]["mine"] == before
    path.write_text(original)


def test_make_compare_makes_what_the_page_says(tmp_path: Path) -> None:
    shutil.copy(REPO / "Makefile", tmp_path)
    shutil.copytree(REPO / "workflow_scripts", tmp_path / "workflow_scripts")
    run_block(tmp_path, "made_up.py")
    (tmp_path / "scale.json").write_text(blocks()["scale.json"])
    assert all(
        len((tmp_path / f"{name}.jsonl").read_text().splitlines()) == 30
        for name in ("strong", "steady")
    )
    make = f"make -o setup BIN={Path(sys.executable).parent} "
    said = {}
    for title in ("compare", "compare, normalised"):
        command = blocks()[title].replace("make ", make, 1)
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        said[title] = done.stdout
    assert re.search(r"strong +6\.00 \[.*1\.67 \[.*0\.79 \[", said["compare"])
    assert re.search(r"steady +3\.25 \[.*0\.83 \[.*0\.05 \[", said["compare"])
    assert re.search(r"strong +1\.50 \[.*0\.33 \[", said["compare, normalised"])
    made = tmp_path / "results" / "compare"
    for folder in (made / "mine", made / "scaled"):
        listed = {p.relative_to(folder).as_posix() for p in folder.rglob("*.*")}
        assert {"tables/summary.md", "figures/pareto_fronts.pdf", "explorer.html"} <= listed


@pytest.mark.parametrize("absent", ["RESPONSES", "OBJECTIVES", "OUT"])
def test_make_compare_says_what_it_lacks(absent: str) -> None:
    given = {"RESPONSES": "a.jsonl", "OBJECTIVES": "a b", "OUT": "mine"} | {absent: ""}
    make = ["make", "-o", "setup", "compare", *(f"{name}={value}" for name, value in given.items())]
    done = subprocess.run(make, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f'{absent}= is not set: make compare RESPONSES="a.jsonl b.jsonl"' in done.stderr
