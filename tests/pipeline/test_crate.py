"""A run as an RO-Crate, by a report plugin that docs/reuse.md names; skipped where it is not installed."""

import json
from pathlib import Path

import pytest

from moa.runtime.publishing import MANIFEST
from support.checkouts import copy_repo, snakemake
from support.tiny_store import tiny_plan

pytest.importorskip("snakemake_report_plugin_fairscape")


def test_the_crate_has_every_job_with_its_command_and_what_it_made(tmp_path):
    copy_repo(tmp_path)
    (entry,) = (e for e in tiny_plan(Path("s")).entries.values() if e.stage == "data")
    target = f"results/store/{entry.rel}/{MANIFEST}"
    snakemake(tmp_path, "--", target)
    snakemake(tmp_path, "--reporter", "fairscape", "--", target)
    graph = json.loads((tmp_path / "ro-crate-metadata.json").read_text())["@graph"]
    assert graph[0]["conformsTo"]["@id"].startswith("https://w3id.org/ro/crate/")
    (job,) = (item for item in graph if item.get("name", "").startswith("prepare_data ("))
    (made,) = (item for item in graph if item.get("contentUrl") == target)
    assert job["generated"] == [{"@id": made["@id"]}] and "prepare_data.py --spec" in job["command"]
    assert job["startTime"] < job["endTime"] and "containerImage" not in job
