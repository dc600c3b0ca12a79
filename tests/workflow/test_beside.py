"""Rows and rewards of one's own are looked for beside the config that names them, and count by content."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from moa.runtime.errors import ConfigError
from moa.workflow.beside import DATA_KEYS, SCORER_KEYS
from moa.workflow.config import resolve
from moa.workflow.inherit import read_config
from moa.workflow.plan import Plan, read_plan
from support.paths import CONFIG

REWARDS = """
def brevity(prompts, responses):
    return [-len(response) for response in responses]

def politeness(prompts, responses):
    return [response.count("please") for response in responses]
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with a config, rows and rewards; the workflow runs elsewhere."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "rows.jsonl").write_text(json.dumps({"prompt": "a", "chosen": "b"}) + "\n")
    (folder / "rewards.py").write_text(REWARDS)
    write(folder / "config.yaml")
    (tmp_path / "checkout").mkdir()
    monkeypatch.chdir(tmp_path / "checkout")
    return folder


def write(path, **task):
    named = {"kind": "python_callable", "callable": "rewards.py:brevity"}
    config = yaml.safe_load((CONFIG / "synthetic.yaml").read_text())
    config["name"], config["policy"]["base"] = "mine", {"kind": "scratch_text"}
    config["tasks"] = {
        "answers": {
            "objectives": ["brevity", "politeness"],
            "data": {"kind": "jsonl", "path": "rows.jsonl", "n_train": 2, "n_test": 3},
            "oracles": {
                "brevity": named,
                "politeness": named | {"callable": "rewards.py:politeness"},
            },
            **task,
        }
    }
    path.write_text(yaml.safe_dump(config))
    return path


def planned(path, checkout="."):
    return read_plan(path, checkout=Path(checkout).resolve())


def keys(plan):
    return {(e.stage, e.name): e.key for e in plan.entries.values()}


def refused(path):
    with pytest.raises(ConfigError) as caught:
        planned(path)
    return str(caught.value)


def test_the_keys_that_name_such_files_are_those_of_the_settings():
    assert {"path"} == DATA_KEYS and {"callable"} == SCORER_KEYS


def test_they_are_found_wherever_the_workflow_runs(mine, tmp_path, monkeypatch):
    task = resolve(read_config(mine / "config.yaml")).tasks["answers"]
    assert task.data.path == str(mine / "rows.jsonl")
    assert task.oracles["brevity"].callable == f"{mine}/rewards.py:brevity"
    # Below the checkout they are named as seen from there, so that its place is in no key.
    shutil.copytree(mine, tmp_path / "one" / "mine")
    shutil.copytree(mine, tmp_path / "two" / "mine")
    found = []
    for name in ("one", "two"):
        monkeypatch.chdir(tmp_path / name)
        plan = planned(tmp_path / name / "mine" / "config.yaml", tmp_path / name)
        assert plan.config.tasks["answers"].data.path == "mine/rows.jsonl"
        found.append(keys(plan))
    assert found[0] == found[1]


def test_a_config_that_extends_another_names_what_lies_beside_itself(mine):
    above = mine.parent / "above.yaml"
    above.write_text(
        "extends: mine/config.yaml\nname: above\n"
        "tasks: {answers: {oracles: {brevity: {callable: 'own.py:brevity'}}}}\n"
    )
    assert f"there is no file {mine.parent}/own.py; it is looked for beside" in refused(above)
    shutil.copy(mine / "rewards.py", mine.parent / "own.py")
    task = planned(above).config.tasks["answers"]
    assert task.oracles["brevity"].callable == f"{mine.parent}/own.py:brevity"
    assert task.oracles["politeness"].callable == f"{mine}/rewards.py:politeness"
    assert task.data.path == f"{mine}/rows.jsonl"


def test_a_changed_file_makes_again_what_depends_on_it_and_nothing_else(mine):
    config = mine / "config.yaml"
    before = keys(planned(config))
    (mine / "rewards.py").write_text(REWARDS.replace("-len", "-2 * len"))
    scored = {at for at, key in keys(planned(config)).items() if before[at] != key}
    assert ("data", "answers") not in scored and ("base", "scratch_text") not in scored
    assert {stage for stage, _ in scored} >= {"oracle_stats", "online", "score", "metrics"}
    (mine / "rewards.py").write_text(REWARDS)
    assert keys(planned(config)) == before
    (mine / "rows.jsonl").write_text("{}\n")
    assert (
        not keys(planned(config)).items() & before.items()
    )  # all that is made starts from the rows


def test_what_is_not_there_is_said_with_the_place(mine):
    (mine / "rows.jsonl").unlink()
    (mine / "rewards.py").unlink()
    lines = refused(mine / "config.yaml").splitlines()
    assert len(lines) == 3
    where = "it is looked for beside the config that names it"
    assert f"tasks.answers.data.path: there is no file {mine}/rows.jsonl; {where}" in lines[0]
    assert f"oracles.brevity.callable: there is no file {mine}/rewards.py; {where}" in lines[1]


@pytest.mark.parametrize("path", ["rows.csv", "rows.jsonl.zip", "rows"])
def test_rows_have_the_ending_of_what_they_are(mine, path):
    data = {"kind": "jsonl", "path": path, "n_train": 2, "n_test": 3}
    found = refused(write(mine / "config.yaml", data=data))
    assert f"data.path is {path!r}: name a file that ends in .jsonl" in found


def test_a_base_that_learns_from_responses_cannot_give_them(mine):
    data = {"kind": "jsonl", "path": "rows.jsonl", "responses": "base", "n_train": 2, "n_test": 3}
    found = refused(write(mine / "config.yaml", data=data))
    assert "data.responses is base, but a base of kind scratch_text learns from" in found


def test_where_the_base_answers_all_that_follows_reads_its_answers(mine):
    data = {"kind": "jsonl", "path": "rows.jsonl", "responses": "base", "n_train": 2, "n_test": 3}
    config = yaml.safe_load(write(mine / "config.yaml", data=data).read_text())
    config["policy"]["base"] = {"kind": "hub", "model": "lab/base"}
    (mine / "config.yaml").write_text(yaml.safe_dump(config))
    plan = Plan(resolve(read_config(mine / "config.yaml")))
    readers = [e for e in plan.entries.values() if "data" in e.inputs]
    assert len(readers) > 5
    for entry in readers:
        read = entry.inputs["data"].stage
        assert read == ("data" if entry.stage == "answers" else "answers"), entry.rel
