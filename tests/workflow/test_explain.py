"""What a config says wrongly is told in the words of who writes YAML, at its own place."""

import json

import pytest
import yaml

from moa.runtime.errors import ConfigError
from moa.workflow.config import resolve
from moa.workflow.inherit import merge
from support.paths import CONFIG


def mistakes(text):
    """All mistakes in the synthetic world's config with these keys on top; none if it is right."""
    config = yaml.safe_load((CONFIG / "synthetic.yaml").read_text())
    try:
        resolve(merge(json.loads(json.dumps(config)), yaml.safe_load(text)))
    except ConfigError as error:
        return str(error)
    return ""


def refused(text):
    """The one mistake."""
    (said,) = mistakes(text).splitlines()
    return said


def refused_of_safety(text):
    return refused(f"tasks: {{safety: {{{text}}}}}").removeprefix("tasks.safety.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("runs: [{name: on, method: sft}]", "runs[0].name is True: YAML reads on, off,"),
        ("runs: [{name: 12, method: sft}]", "runs[0].name is 12: YAML reads this as a number"),
        ("name: 2024-01-01", "name is datetime.date(2024, 1, 1): YAML reads this as a number or a"),
        ("on: 1", "config: the key True: YAML reads on, off, yes, no,"),
        ("tasks: {on: {}}", "tasks: the key True: YAML reads on, off, yes, no,"),
        ("tasks: {12: {}}", "tasks: the key 12: YAML reads this as a number"),
    ],
)
def test_what_yaml_reads_as_no_text_is_to_be_quoted(text, said):
    assert refused(text).startswith(said) and refused(text).endswith("in quotes")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds: [true]", "seeds[0] is True: list different whole numbers from 0 to 4294967295"),
        ("policy: {lora: {rank: true}}", "policy.lora.rank is True: it must be a valid integer;"),
        ("metrics: {reference: true}", "metrics.reference is True: it must be a valid number;"),
        ("runs: [{name: a, method: true}]", "runs[0].method is True: choose sft, rlhf,"),
    ],
)
def test_what_is_no_number_is_told_for_what_may_stand_there(text, said):
    assert refused(text).startswith(said)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[]", " is []: it must have at least 1 item; The adapted"),
        ("''", " is '': it must have at least 1 character; The adapted"),
        ("5", " is 5: it must be a valid string or a list; The adapted"),
        ("[1]", "[0] is 1: YAML reads this as a number"),
    ],
)
def test_where_two_types_may_stand_the_one_that_was_meant_is_explained(value, said):
    found = refused(f"policy: {{lora: {{target_modules: {value}}}}}")
    assert found.startswith(f"policy.lora.target_modules{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tasks: null", "tasks is None: it must be a mapping of keys; give at least one task"),
        ("tasks: {mine: x}", "write {objectives: ..., data: ..., oracles: ...}"),
        (
            "runs: [mi_epo]",
            "runs[0] is 'mi_epo': it must be a mapping of keys; write {name: ..., m",
        ),
        ("policy: null", "policy is None: it must be a mapping of keys; write {base: ...}"),
        (
            "policy: {base: hub}",
            "policy.base is 'hub': it must be a mapping of keys; write {kind: .",
        ),
        ("sft: null", "sft is None: it must be a mapping of keys; leave it out for the defaults"),
    ],
)
def test_where_keys_must_stand_those_that_are_needed_are_named(text, said):
    assert said in refused(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "data: hh_rlhf",
            "must be a mapping of keys; write {kind: ..., n_train: ..., n_test: ...}",
        ),
        ("oracles: null", "must be a mapping of keys; One reward oracle per objective, by name."),
        (
            "pairs: {helpfulness: null}",
            "pairs.helpfulness is None: it must be a list; By objective",
        ),
        ("pairs: {helpfulness: [a]}", "write {prompt: ..., better: ..., worse: ...}"),
    ],
)
def test_the_same_of_a_task(text, said):
    assert said in refused_of_safety(text)


def test_what_is_wrong_in_a_runs_adapter_is_told_where_it_stands():
    run = "{name: a, method: mi_epo, overrides: {lora: {rank: 0}}}"
    assert refused(f"runs: [{run}]").startswith("runs.a.overrides.lora.rank is 0: ")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("seeds: [4294967296]", "seeds[0]"),
        ("policy: {base: {seed: 4294967296}}", "policy.base.seed"),
        ("tasks: {safety: {data: {split_seed: 4294967296}}}", "tasks.safety.data.split_seed"),
        ("tasks: {safety: {data: {corpus_seed: 4294967296}}}", "tasks.safety.data.corpus_seed"),
    ],
)
def test_a_seed_is_one_that_every_generator_takes(text, place):
    assert refused(text).startswith(f"{place} is 4294967296: ") and "4294967295" in refused(text)


@pytest.mark.parametrize("name", [":x", "mine:", "a..b:x", "a.:x", ".a:x", "1a:x", "a:b:c"])
def test_a_callable_has_a_module_and_a_name(name):
    oracle = f"{{kind: python_callable, callable: '{name}', version: '1'}}"
    found = refused_of_safety(f"oracles: {{helpfulness: {oracle}}}")
    written = "write package.module:function or, of a file beside the config, file.py:function"
    assert found.endswith(f"callable is {name!r}: {written}")


@pytest.mark.parametrize(
    "text",
    [
        "name: {name}",
        "tasks: {{{name}: null}}",
        "runs: [{{name: {name}, method: sft}}]",
        "tasks: {{safety: {{objectives: [helpfulness, {name}]}}}}",
    ],
)
def test_a_name_has_room_in_a_folders_name(text):
    assert "64 lower-case" in mistakes(text.format(name="a" * 65))
    assert "64 lower-case" not in mistakes(text.format(name="a" * 64))


def test_a_store_is_a_folder_or_can_become_one(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for store in (file, file / "below", tmp_path / "link"):
        found = refused(f"store: {store}")
        assert "is there already and is no folder; choose another path" in found
    for store in ("x" * 256, '"a\\0b"'):
        assert "no file system takes such a name; choose another" in refused(f"store: {store}")
    (tmp_path / "good").symlink_to(tmp_path)
    for store in (tmp_path, tmp_path / "good", tmp_path / "new" / "store"):
        assert mistakes(f"store: {store}") == ""
