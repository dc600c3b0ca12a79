"""What comes from the hub is pinned when the workflow is planned, and the commit enters the keys."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field

import build_base
from moa.oracles.settings import EmbeddingHeadOracle
from moa.runtime.errors import ConfigError
from moa.runtime.hub_lock import Repository, is_local
from moa.runtime.publishing import Job
from moa.runtime.settings import KindSettings
from moa.workflow.config import resolve
from moa.workflow.plan import Plan
from moa.workflow.sources import pinned
from support.checkouts import add_oracle_kind, copy_repo, planned, said_by
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


# A path needs no declaration: what looks like one and names what is there counts by its content.


class Toy(KindSettings):
    words: str = "none"
    several: tuple[str, ...] = ()
    nested: dict[str, Any] = Field(default_factory=dict)
    typed: Path | None = None


NO_HUB = "moa.oracles.python_callable"


def contents(**values):
    return pinned(NO_HUB, Toy(kind="toy", **values)).get("contents")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to plan in, with a list of words, a folder of them, and files with everyday names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lists").mkdir()
    for name in ("words.txt", "lists/words", "train", "data", "1.0"):
        (tmp_path / name).write_text("one\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "values", "place"),
    [
        ("words.txt", {"words": "words.txt"}, "words"),
        ("lists/words", {"words": "lists/words"}, "words"),
        ("lists/words", {"words": "lists/"}, "words"),
        ("train", {"words": "./train"}, "words"),
        ("words.txt", {"several": ("a", "words.txt")}, "several[1]"),
        ("words.txt", {"nested": {"a": [{"b": "words.txt"}]}}, "nested.a[0].b"),
        ("train", {"typed": Path("train")}, "typed"),
    ],
)
def test_a_path_counts_by_content_wherever_it_stands(here, name, values, place):
    before = contents(**values)
    assert list(before) == [place] and before[place] is not None
    (here / name).write_text("two\n")
    changed = contents(**values)
    assert list(changed) == [place] and changed != before
    (here / name).write_text("one\n")
    os.utime(here / name, (0, 0))
    assert contents(**values) == before


def test_a_copy_elsewhere_has_the_same_content(here):
    (here / "other.txt").write_text("one\n")
    assert contents(words="words.txt") == contents(words=str(here / "other.txt"))


def test_text_that_is_no_path_is_left_alone(here):
    for text in ("train", "data", "", ".", "..", "/", "//", "../..", "</s>", "\0.txt", "a/" * 3000):
        assert contents(words=text, several=(text,)) is None
    assert pinned(NO_HUB, Toy(kind="data", words="not/there.txt")) == {
        "kind": "data",
        "words": "not/there.txt",
        "several": [],
        "nested": {},
        "typed": None,
    }


def test_a_path_whose_file_is_pinned_in_code_is_left_alone(here):
    oracle = EmbeddingHeadOracle(kind="embedding_head", archive="words.txt")
    assert "contents" not in pinned("moa.oracles.embedding_head", oracle)


def test_a_base_gets_its_parameters_without_the_contents(tmp_path):
    params = {"kind": "packaged_gguf", "package": "none-such", "file": "a/b.gguf"}
    spec = {"params": {"base": {**params, "contents": {"file": "0" * 12}}}}
    with pytest.raises(ModuleNotFoundError, match="package none-such is not installed"):
        build_base.main(Job(spec, {}, tmp_path, tmp_path))


@pytest.mark.parametrize("source", ["not/there/yet.jsonl.gz", "rows.jsonl"])
def test_a_split_of_a_single_file_is_refused_by_the_plan(config, source):
    Plan(resolve(from_hub(config, source=source, split="train")))
    with pytest.raises(ConfigError, match=r"safety.data.split is 'test', but .* no splits; leave"):
        Plan(resolve(from_hub(config, source=source, split="test")))
    Plan(resolve(from_hub(config, split="test")))


# The rest plans in a copy of the repository, with kinds as docs/extending.md has them.


def plan_error(checkout, config):
    code = (
        "import sys; from pathlib import Path; from moa.workflow.plan import read_plan\n"
        "from moa.runtime.errors import ConfigError\n"
        "try: read_plan(Path(sys.argv[1]))\n"
        "except ConfigError as error: print(error)"
    )
    return said_by(checkout, code, config)


def with_oracle(checkout, config, **entry):
    task = config["tasks"]["safety"]
    task["oracles"] = task["oracles"] | {"harmlessness": entry}  # other tasks share the old one
    (checkout / "own.yaml").write_text(yaml.safe_dump(config))


def test_a_changed_file_of_a_kind_of_ones_own_makes_new_what_reads_it_and_nothing_else(
    tmp_path, config
):
    copy_repo(tmp_path)
    add_oracle_kind(
        tmp_path, "forbidden", "import numpy as np\n", '    words: Text\n    """Of a file."""'
    )
    (tmp_path / "lists").mkdir()
    words = tmp_path / "lists" / "words.txt"
    words.write_text("one\n")
    with_oracle(tmp_path, config, kind="forbidden", words="lists/words.txt")

    def keys():
        return {(stage, name): key for stage, name, key in planned(tmp_path, "own.yaml")}

    before = keys()
    words.write_text("two\n")
    assert {stage for stage, _ in changed(before, keys())} >= {"oracle_stats", "online", "score"}
    assert {stage for stage, _ in changed(before, keys())}.isdisjoint({"data", "base", "sft"})
    assert "assistant2" not in {name for _, name in changed(before, keys())}
    words.write_text("one\n")
    assert keys() == before


@pytest.mark.parametrize(
    ("hub", "base", "said"),
    [
        ('{"model": "model"}', "KindSettings", "its settings have no key 'model'; add one to Hub"),
        (
            '{"name": "model"}',
            "KindSettings",
            "its settings have no key 'revision'; add one to HubM",
        ),
        ('{"model": "models"}', "ModelOracle", "'model' is a 'models'; say one of model, dataset"),
        (
            '{"model": "model", "name": "model"}',
            "ModelOracle",
            "names model, name, but an entry is",
        ),
    ],
)
def test_a_kind_whose_hub_cannot_be_pinned_is_told_so(tmp_path, config, hub, base, said):
    copy_repo(tmp_path)
    fields = (
        '    name: Text = "lab/reward"\n    """Hub id."""\n'
        '    several: tuple[Text, ...] = ("lab/reward",)\n    """Hub ids."""'
    )
    add_oracle_kind(tmp_path, "hub_model", f"HUB = {hub}\n", fields, base=base)
    model = {"model": "lab/reward"} if base == "ModelOracle" else {}
    with_oracle(tmp_path, config, kind="hub_model", **model)
    found = plan_error(tmp_path, "own.yaml")
    assert found.startswith("own.yaml: kind hub_model: HUB in moa.oracles.hub_model")
    assert said in found and found.count("\n") == 1


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
