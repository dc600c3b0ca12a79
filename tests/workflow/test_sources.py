"""What comes from the hub is pinned when the workflow is planned, and the commit enters the keys."""

import os

import pytest
import yaml

from moa.runtime.errors import ConfigError
from moa.runtime.hub_lock import Repository, is_local
from moa.workflow.config import resolve
from moa.workflow.plan import Plan
from support.checkouts import add_oracle_kind, copy_repo, planned
from support.paths import REPO

FIRST, SECOND = "1" * 40, "2" * 40


def entry(commit):
    return {"main": {"commit": commit, "files": {"a.json": {"size": 1, "git_blob": "0" * 40}}}}


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """Writes the lock that planning reads."""
    path = tmp_path / "revisions.lock.yaml"
    monkeypatch.setattr("moa.workflow.sources.LOCK", path)
    return lambda **types: path.write_text(yaml.safe_dump(types))


@pytest.fixture
def config():
    config = yaml.safe_load((REPO / "config" / "synthetic.yaml").read_text())
    config["tasks"] = {task: config["tasks"][task] for task in ("safety", "assistant2")}
    return config


def from_hub(config, **data):
    """The config with a dataset of the hub in its task safety, and oracles that can read it."""
    oracle = {"kind": "python_callable", "callable": "my_rewards:brevity", "version": "1"}
    config["tasks"]["safety"] |= {
        "data": {"kind": "hh_rlhf", "source": "lab/hh", "n_train": 8, "n_test": 3, **data},
        "oracles": {"helpfulness": oracle, "harmlessness": oracle},
    }
    return config


def commit(config):
    return data_params(config)["commit"]


def data_params(config):
    """What the spec of the task safety's data says of it."""
    entries = Plan(resolve(config)).entries.values()
    (entry,) = (e for e in entries if (e.stage, e.name) == ("data", "safety"))
    return entry.spec["params"]["data"]


def test_an_entry_gets_the_commit_of_its_type_name_and_revision(lock, config):
    assert commit(from_hub(config)) is None  # no lock yet
    lock(model={"lab/hh": entry(SECOND)}, dataset={"lab/other": entry(SECOND)})
    assert commit(from_hub(config)) is None
    lock(dataset={"lab/hh": entry(FIRST)})
    assert commit(from_hub(config)) == FIRST
    assert commit(from_hub(config, revision="v2")) is None
    assert commit(from_hub(config, revision=SECOND)) == SECOND


def test_a_plan_knows_what_to_fetch(config):
    assert Plan(resolve(config)).repositories == set()
    repositories = Plan(resolve(from_hub(config, revision="v2"))).repositories
    assert repositories == {Repository("dataset", "lab/hh", "v2")}


def test_a_local_path_is_left_as_it_is(lock, config, tmp_path):
    lock(dataset={"lab/hh": entry(FIRST)})
    for source in ("not/there/yet.jsonl.gz", "rows.jsonl", "rows.jsonl.xz", str(tmp_path)):
        config = from_hub(config, source=source)
        assert "commit" not in data_params(config)
        assert Plan(resolve(config)).repositories == set()
    assert not is_local("rows.jsonl", "model") and is_local(str(tmp_path), "model")
    assert not is_local("lab/reward", "model") and is_local("data/some/model", "model")


def test_the_content_of_a_local_path_enters_the_keys(config, tmp_path):
    rows = tmp_path / "rows.jsonl"

    def key():
        (entry,) = (
            a
            for a in Plan(resolve(from_hub(config, source=str(rows)))).entries.values()
            if (a.stage, a.name) == ("data", "safety")
        )
        return entry.key

    missing = key()
    rows.write_text("one")
    first = key()
    rows.write_text("two, longer")
    assert len({missing, first, key()}) == 3
    rows.write_text("one")
    os.utime(rows, (0, 0))
    assert key() == first


def test_a_commit_is_not_for_the_config_to_say(config):
    with pytest.raises(ConfigError, match=r"tasks.safety.data: unknown key 'commit'"):
        resolve(from_hub(config, commit=FIRST))


def test_deleting_an_entry_may_leave_its_parent_without_a_value(lock, config):
    lock(model=None, dataset={"lab/hh": None})
    assert commit(from_hub(config)) is None


def test_a_lock_with_conflict_marks_is_one_message(lock, config, tmp_path):
    lock()
    (tmp_path / "revisions.lock.yaml").write_text("<<<<<<< HEAD\nmodel: {}\n=======\n")
    with pytest.raises(ConfigError, match=r"revisions.lock.yaml is not YAML.*repair it") as caught:
        Plan(resolve(from_hub(config)))
    assert "\n" not in str(caught.value)
    del config["tasks"]["safety"]
    Plan(resolve(config))  # which takes nothing from the hub


# The rest plans in a copy of the repository, which has an oracle kind of the hub.


@pytest.fixture
def checkout(tmp_path, config):
    copy_repo(tmp_path)
    source = (
        'import torch\n\nfrom moa.runtime.hub_cache import snapshot\n\nHUB = {"model": "model"}\n'
    )
    add_oracle_kind(tmp_path, "hub_model", source, base="ModelOracle")
    from_hub(config)
    shared = {"kind": "hub_model", "model": "lab/reward"}
    config["tasks"]["safety"]["oracles"] = {"helpfulness": shared, "harmlessness": shared}
    (tmp_path / "hub.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def plan(checkout, config, **lock):
    """(stage, name) -> key of every entry."""
    (checkout / "config/revisions.lock.yaml").write_text(yaml.safe_dump(lock))
    return {(stage, name): key for stage, name, key in planned(checkout, config)}


def changed(before, after):
    """The (stage, task or another name) of the entries whose key changed."""
    assert before.keys() == after.keys()
    names = {entry for entry in before if before[entry] != after[entry]}
    return {(stage, "assistant2" if "assistant2" in name else name) for stage, name in names}


def test_another_commit_changes_the_keys_of_what_uses_it_and_no_others(checkout):
    lock = {"model": {"lab/reward": entry(FIRST)}, "dataset": {"lab/hh": entry(FIRST)}}
    before = plan(checkout, "hub.yaml", **lock)
    another_oracle = changed(
        before, plan(checkout, "hub.yaml", **lock | {"model": {"lab/reward": entry(SECOND)}})
    )
    another_dataset = changed(
        before, plan(checkout, "hub.yaml", **lock | {"dataset": {"lab/hh": entry(SECOND)}})
    )
    assert {stage for stage, _ in another_oracle} >= {"oracle_stats", "online", "score", "metrics"}
    assert {stage for stage, _ in another_oracle}.isdisjoint({"data", "base", "sft"})
    assert {stage for stage, _ in another_dataset} >= {"data", "sft", "online", "generate"}
    assert "assistant2" not in {task for _, task in another_oracle | another_dataset}
    assert plan(checkout, "hub.yaml", **lock) == before


def test_a_config_without_hub_entries_does_not_depend_on_the_lock(checkout):
    empty = plan(checkout, "config/synthetic.yaml")
    full = plan(checkout, "config/synthetic.yaml", dataset={"lab/hh": entry(FIRST)})
    assert empty == full
    # Nor on the code that reads from the hub: only kinds that do import it.
    with open(checkout / "workflow_scripts/moa/training/bases/hub.py", "a") as handle:
        handle.write("\nTOUCHED = True\n")
    assert plan(checkout, "config/synthetic.yaml") == empty
    touched = plan(checkout, "hub.yaml")
    for module in ("tools/prefetch", "runtime/hub_lock", "runtime/hub_cache"):
        with open(checkout / f"workflow_scripts/moa/{module}.py", "a") as handle:
            handle.write("\nTOUCHED = True\n")
    assert plan(checkout, "hub.yaml") == touched
