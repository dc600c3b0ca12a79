"""`make report` on a store of made-up entries, with Snakemake's own reporter."""

from __future__ import annotations

import os
import subprocess
import sys
from zipfile import ZipFile

import pytest
import yaml

from moa.runtime.publishing import MANIFEST
from moa.tools.report.pages import missing
from support.checkouts import copy_repo
from support.reports import published
from support.tiny_store import tiny_config


@pytest.fixture
def checkout(tmp_path):
    copy_repo(tmp_path)
    return tmp_path


def report(checkout):
    command = [sys.executable, "workflow_scripts/write_report.py", "--configfile", "tiny.yaml"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


def test_tasks_and_what_pools_them_are_in_it_and_a_run_that_is_not_whole_is_refused(checkout):
    store = checkout / "results" / "store"
    config = tiny_config(store)
    tasks = {"safety": config["tasks"]["safety"], "report": config["tasks"]["safety"]}
    plan = published(store, tasks=tasks)
    made = {**config, "tasks": tasks, "store": "results/store"}
    (checkout / "tiny.yaml").write_text(yaml.safe_dump(made, sort_keys=False))
    done = report(checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    with ZipFile(checkout / "results/tiny/report.zip") as archive:
        names = [name.rpartition("/")[2] for name in archive.namelist()]
    assert names.count("pareto_fronts.png") == names.count("verdict.html") == 2
    assert names.count("pooled.html") == names.count("entries.html") == 1
    assert names.count("explorer.html") == 2 and "plan.json" not in names

    gone = next(e for e in plan.entries.values() if e.stage == "generate")
    os.unlink(store / gone.rel / MANIFEST)
    assert [rel.split("/")[0] for rel in missing(plan)] == ["generate", "evaluate"]
    done = report(checkout)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"2 of {len(plan.entries)} entries are missing" in done.stderr
    assert gone.rel in done.stderr and "run `make run CONFIG=tiny.yaml` first" in done.stderr


def test_a_config_that_is_not_there_is_named(checkout):
    (checkout / "tiny.yaml").unlink()
    done = report(checkout)
    assert done.returncode == 1 and "tiny.yaml: there is no such file" in done.stderr
