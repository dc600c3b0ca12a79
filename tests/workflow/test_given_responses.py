"""A run of method external: where its file is found, what is refused, and what its key covers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from moa.runtime.errors import ConfigError
from moa.tools.estimates.jobs import gpu_jobs
from moa.workflow.config import resolve
from moa.workflow.plan import Plan, read_plan
from moa.workflow.similarity import of_run
from support.tiny_store import tiny_config

MINE = {"name": "mine", "method": "external", "responses": "mine.jsonl"}
SFT = {"name": "sft", "method": "sft"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the workflow runs; configs lie in config/."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mine.jsonl").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(*runs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return tiny_config(Path("results/store"), runs=list(runs), **changes)


def plan(*runs: dict[str, Any], **changes: Any) -> Plan:
    return Plan(resolve(config(*runs, **changes), Path("config")))


def mistakes(*runs: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        plan(*runs)
    return str(caught.value).splitlines()


def entry(found: Plan, stage: str) -> Any:
    (one,) = (e for e in found.entries.values() if e.stage == stage)
    return one


def test_such_a_run_is_read_and_scored_and_asks_no_policy(folder: Path) -> None:
    found = plan(MINE)
    roles = {e.stage for end in found.ends["safety", "mine", 0] for e in end.inputs.values()}
    assert roles == {"score"}
    read = entry(found, "responses")
    assert (
        read.spec["params"]["file"] == "config/mine.jsonl"
        and len(read.spec["params"]["sha256"]) == 64
    )
    assert not {"generate", "likelihoods", "reference", "online"} & {
        e.stage for e in found.entries.values() if "beta_w" not in e.name
    }
    (receipt,) = found.ends["safety", "mine", 0]
    assert read in found.jobs.before(receipt) and read.rel in found.early
    metrics = next(
        e for e in found.entries.values() if e.stage == "metrics" and "sweep" not in e.name
    )
    assert metrics.spec["params"]["start"] is None
    (run,) = metrics.spec["params"]["runs"]
    assert (run["has_policy"], run["conditioned"], run["label"]) == (False, True, "mine")
    assert of_run(None, found.config.tasks["safety"].policy)["betas"] == {}


def test_sft_is_the_start_whatever_stands_before_it(folder: Path) -> None:
    found = plan(MINE, SFT)
    metrics = next(
        e for e in found.entries.values() if e.stage == "metrics" and "sweep" not in e.name
    )
    assert metrics.spec["params"]["start"] == "sft"


def test_the_file_is_found_beside_the_config_then_where_the_workflow_runs(folder: Path) -> None:
    (folder / "mine.jsonl").write_text("{}\n")
    assert entry(plan(MINE), "responses").spec["params"]["file"] == "config/mine.jsonl"
    (folder / "config" / "mine.jsonl").unlink()
    assert entry(plan(MINE), "responses").spec["params"]["file"] == "mine.jsonl"
    elsewhere = folder.parent / f"{folder.name}.csv"
    elsewhere.write_text("prompt,w,response\n")
    found = plan({**MINE, "responses": str(elsewhere)})
    assert entry(found, "responses").spec["params"]["file"] == str(elsewhere)


def test_the_key_is_the_same_from_wherever_the_config_is_read(folder: Path) -> None:
    (folder / "config" / "own.yaml").write_text(yaml.safe_dump(config(MINE)))
    here = plan(MINE)
    there = read_plan(Path("config/own.yaml"), checkout=folder)
    assert entry(here, "responses").key == entry(there, "responses").key


def test_a_changed_line_is_another_entry_and_trains_nothing(folder: Path) -> None:
    def keys(found: Plan) -> dict[str, set[str]]:
        stages: dict[str, set[str]] = {}
        for e in found.entries.values():
            stages.setdefault(e.stage, set()).add(e.key)
        return stages

    before = keys(plan(MINE, SFT))
    (folder / "config" / "mine.jsonl").write_text('{"more": 1}\n')
    after = keys(plan(MINE, SFT))
    assert before["responses"] != after["responses"] and before["score"] != after["score"]
    same = ("data", "base", "sft", "oracle_stats", "generate")
    assert all(before[stage] == after[stage] for stage in same)


def test_each_task_has_a_file_of_its_own(folder: Path) -> None:
    run = {**MINE, "responses": "{task}.jsonl"}
    for name in ("safety", "other"):
        (folder / "config" / f"{name}.jsonl").write_text(f'"{name}"\n')
    own = config(run)
    own["tasks"]["other"] = json.loads(json.dumps(own["tasks"]["safety"]))
    found = Plan(resolve(own, Path("config")))
    read = [e.spec["params"]["file"] for e in found.entries.values() if e.stage == "responses"]
    assert sorted(read) == ["config/other.jsonl", "config/safety.jsonl"]
    (folder / "config" / "other.jsonl").unlink()
    with pytest.raises(
        ConfigError, match=r"^runs\.mine\.responses in tasks\.other is other\.jsonl"
    ):
        resolve(own, Path("config"))


def test_one_file_under_two_names_is_refused(folder: Path) -> None:
    (told,) = mistakes(MINE, {**MINE, "name": "again"})
    assert told.startswith("runs.again: it is the same as runs.mine")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"responses": None},
            "runs.mine: method external needs `responses`, the file that has them",
        ),
        ({"responses": "mine.txt"}, "it must end with one of .jsonl, .jsonl.gz, .csv"),
        (
            {"method": "sft"},
            "runs.mine.responses in tasks.safety: method sft makes its own; remove it",
        ),
        ({"overrides": {"beta_w": 0}}, "runs.mine.overrides: external has nothing to override"),
        ({"name": "mi_epo"}, "a run of method external cannot have the name of another method"),
    ],
)
def test_what_such_a_run_cannot_be_is_told(
    folder: Path, change: dict[str, Any], message: str
) -> None:
    (told,) = mistakes({**MINE, **change})
    assert message in told


def test_a_file_that_is_not_there_is_told_with_both_places(folder: Path) -> None:
    (told,) = mistakes({**MINE, "responses": "gone.jsonl"})
    assert told == (
        f"runs.mine.responses in tasks.safety is gone.jsonl: there is no {folder}/config/gone.jsonl and no "
        f"{folder}/gone.jsonl; put the file beside the config, or mend the path"
    )


def test_estimates_count_its_scoring_alone(folder: Path) -> None:
    jobs = [job for job in gpu_jobs(plan(MINE)) if "mine" in job.runs]
    evaluations = [job for job in jobs if job.stage == "evaluate"]
    assert [[part.stage for part in job.parts] for job in evaluations] == [["score"]]
    assert evaluations[0].parts[0].block == 11 and evaluations[0].parts[0].data["n_test"] == 8
