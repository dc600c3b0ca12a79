"""The files and the commands of docs/own_data.md, taken from its text, come to a front and a table."""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest

from support.checkouts import copy_repo, edited, snakemake
from support.paths import REPO

PAGE = (REPO / "docs" / "own_data.md").read_text()
CONFIG = "shop/config.yaml"
RESULTS = "results/shop/answers"
WANTED = (f"{RESULTS}/tables/summary.csv", f"{RESULTS}/figures/pareto_fronts.png")


def commands():
    """The lines of the page's first block for a shell."""
    return re.search(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)[1].splitlines()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with the page's files, after its commands."""
    folder = tmp_path_factory.mktemp("own")
    copy_repo(folder)
    files = re.findall(r'^```\w+ title="(shop/.+?)"\n(.*?)^```$', PAGE, re.M | re.S)
    assert [name for name, _ in files] == ["shop/make_rows.py", "shop/rewards.py", CONFIG]
    for name, content in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    make_rows, *made = commands()
    assert made == [f"make check CONFIG={CONFIG}", f"make run CONFIG={CONFIG}"]
    make_rows = make_rows.replace("python3", sys.executable, 1)
    subprocess.run(make_rows, shell=True, cwd=folder, check=True)
    jobs, _ = snakemake(folder, "--", *WANTED, config=CONFIG)
    assert jobs["build_base"] == jobs["score_offline"] == 1
    return folder


def test_the_rows_are_as_many_as_the_page_says_and_like_its_example(checkout):
    rows = [json.loads(line) for line in (checkout / "shop/rows.jsonl").read_text().splitlines()]
    assert f"This makes {len(rows)}:" in PAGE
    shown = json.loads(re.search(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)[1])
    assert all(row.keys() == shown.keys() for row in rows)
    assert shown["prompt"] in {row["prompt"] for row in rows}


def test_the_table_and_the_front_are_of_the_users_objectives(checkout):
    table = pd.read_csv(checkout / WANTED[0])
    assert table["run"].tolist() == ["rewarded_soups", "mi_epo"]
    assert {"control_brevity", "control_politeness"} <= set(table.columns)
    assert table[["hv", "mip", "crd"]].notna().all(axis=None)
    assert (checkout / WANTED[1]).stat().st_size > 10_000
    manifest = next((checkout / "results/store/data").glob("answers-*/manifest.json"))
    assert json.loads(manifest.read_text())["notes"]["dropped"] == {}


def test_a_changed_reward_trains_again_and_leaves_data_and_base(checkout):
    edited(checkout / "shop/rewards.py", "return [-len", "return [-2 * len")
    _, output = snakemake(checkout, "--dry-run", "--", *WANTED, config=CONFIG)
    planned = set(re.findall(r"^(?:local)?rule (\w+):", output, re.M))
    assert {"score_offline", "train_online", "train_expert", "evaluate_block"} <= planned
    assert not planned & {"prepare_data", "build_base"}
    edited(checkout / "shop/rewards.py", "return [-2 * len", "return [-len")
    jobs, _ = snakemake(checkout, "--", *WANTED, config=CONFIG)
    assert jobs == {}
