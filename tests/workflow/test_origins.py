"""What a plan was asked for with is told beside its views, and remembered by its store."""

import json
import os
from pathlib import Path

import pytest
import yaml

from moa.runtime.errors import ConfigError
from moa.workflow.origins import Origin, plan_digest, record, records, sign_views
from moa.workflow.plan import read_plan
from support.tiny_store import tiny_config, tiny_plan


@pytest.fixture
def checkout(tmp_path):
    """A folder with a config; its store is the fixture's."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    write(folder)
    return folder


def write(folder, name="tiny.yaml", **changes):
    config = tiny_config("../results/store", **changes)
    (folder / name).write_text(yaml.safe_dump(config, sort_keys=False))
    return folder / name


def origin(checkout, **given):
    config = yaml.safe_load((checkout / "tiny.yaml").read_text())
    return Origin.of(checkout / "tiny.yaml", {**config, **given}, checkout)


def keys(plan):
    return {entry.key for entry in plan.entries.values()}


def test_only_what_the_command_line_says_otherwise_is_given(checkout):
    assert origin(checkout).given == {} and origin(checkout, seeds=[0]).given == {}
    assert origin(checkout, seeds=[0, 1]).given == {"seeds": [0, 1]}
    assert origin(checkout, seeds=[0, 1]).label == "tiny.yaml with seeds=[0, 1]"


def test_it_is_planned_as_it_was_asked_for_from_wherever(checkout, store, monkeypatch):
    asked = origin(checkout, seeds=[0, 1])
    monkeypatch.chdir("/")
    plan = asked.plan()
    assert keys(plan) == keys(tiny_plan(store, seeds=[0, 1]))
    assert os.path.realpath(plan.config.store) == str(store)


def test_a_relative_store_is_the_checkouts_wherever_it_is_asked_from(checkout, monkeypatch):
    monkeypatch.chdir("/tmp")
    plan = read_plan(checkout / "tiny.yaml", checkout=checkout)
    assert plan.config.store == str(checkout / "../results/store")
    monkeypatch.chdir(checkout)
    assert read_plan(Path("tiny.yaml"), checkout=checkout).config.store == plan.config.store
    assert os.getcwd() == str(checkout)


def test_a_store_remembers_each_plan_once_and_writes_nothing_the_second_time(checkout, store):
    for given in ({}, {"seeds": [0, 1]}, {}):
        asked = origin(checkout, **given)
        record(asked.plan(), asked, store)
    found = records(store)
    assert sorted(r.origin.label for r in found) == ["tiny.yaml", "tiny.yaml with seeds=[0, 1]"]
    assert all(r.there and r.origin.config == checkout / "tiny.yaml" for r in found)
    times = [r.path.stat().st_mtime_ns for r in found]
    record(asked.plan(), asked, store)
    assert [r.path.stat().st_mtime_ns for r in records(store)] == times


def test_what_is_remembered_is_the_request_so_an_edited_config_counts_as_it_is_now(checkout, store):
    asked = origin(checkout, seeds=[0, 1])
    record(asked.plan(), asked, store)
    runs = tiny_config(store)["runs"][-1:]
    write(checkout, runs=runs)
    (found,) = records(store)
    assert keys(found.origin.plan()) == keys(tiny_plan(store, seeds=[0, 1], runs=runs))
    (checkout / "tiny.yaml").unlink()
    assert not found.there


def test_a_checkout_that_is_moved_with_its_store_is_found(checkout, store):
    asked = origin(checkout)
    record(asked.plan(), asked, store)
    moved = checkout.parent.parent / "moved"
    checkout.parent.rename(moved)
    (found,) = records(moved / "results" / "store")
    assert found.there and found.origin.config == moved / "checkout" / "tiny.yaml"
    moved.rename(checkout.parent)


def test_a_store_that_cannot_be_written_to_stops_nothing(checkout):
    asked = origin(checkout)
    record(asked.plan(), asked, Path("/sys"))  # not even by root
    assert records(Path("/sys")) == []


def test_views_say_which_plan_made_them_and_another_one_is_said(checkout):
    first = origin(checkout)
    assert sign_views(first.plan(), first, checkout) is None
    signed = checkout / "results" / "tiny" / "plan.json"
    assert json.loads(signed.read_text()) == {
        "config": "tiny.yaml",
        "given": {},
        "seeds": [0],
        "tasks": {"safety": [run["name"] for run in tiny_config("")["runs"]]},
        "plan": plan_digest(first.plan()),
    }
    time = signed.stat().st_mtime_ns
    assert sign_views(first.plan(), first, checkout) is None
    assert signed.stat().st_mtime_ns == time
    other = origin(checkout, seeds=[1])
    said = sign_views(other.plan(), other, checkout)
    assert said is not None and "now on that of tiny.yaml with seeds=[1] (plan " in said
    assert plan_digest(first.plan()) in said and plan_digest(other.plan()) in said


def test_a_plan_is_the_same_under_another_file_and_store_and_how_it_runs(checkout, store):
    same = write(checkout, "copy.yaml", operation={"checkpoint_minutes": 7})
    assert plan_digest(read_plan(same)) == plan_digest(tiny_plan(store))
    assert plan_digest(tiny_plan(store, seeds=[1])) != plan_digest(tiny_plan(store))


def test_a_mistake_names_the_file_as_it_was_given(checkout, monkeypatch):
    write(checkout, onlin={})
    monkeypatch.chdir(checkout)
    with pytest.raises(ConfigError, match=r"^tiny\.yaml: config: unknown key 'onlin'"):
        read_plan(Path("tiny.yaml"))
