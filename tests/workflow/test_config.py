"""A wrong config stops with one message that names the key, what is wrong and how to mend it."""

import copy
from collections import Counter

import pytest
import yaml

from moa.runtime.errors import ConfigError
from moa.workflow.config import resolve, task_sections
from moa.workflow.plan import Plan
from support.paths import CONFIG


@pytest.fixture
def config():
    return yaml.safe_load((CONFIG / "synthetic.yaml").read_text())


def put(config, path, value):
    """Set config["a"]["b"] for the path "a.b"; None removes the key."""
    changed = copy.deepcopy(config)
    *parents, last = path.split(".")
    node = changed
    for step in parents:
        node = node.setdefault(step, {})
    if value is None:
        del node[last]
    else:
        node[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("onlin", {}, r"config: unknown key 'onlin'; did you mean 'online'\?"),
        ("online.beta_W", 0.1, r"online: unknown key 'beta_W'; did you mean 'beta_w'\?"),
        ("online.alpha", 0, r"online.alpha is 0: it must be above 0"),
        ("tasks.safety.online.alpha", -1, r"tasks.safety.online.alpha is -1: it must be above 0"),
        ("online.ties", "last", r"online.ties is 'last': choose skip, first or split"),
        ("seeds", [0, 0], r"seeds is \[0, 0\]: list different non-negative whole numbers"),
        ("name", None, r"config: the key 'name' is missing"),
        (
            "tasks.safety.data.kind",
            "hh_rlfh",
            r"data.kind: unknown kind 'hh_rlfh'; did you mean 'hh_rlhf'",
        ),
        ("tasks.safety.data.n_train", None, r"tasks.safety.data: the key 'n_train' is missing"),
        ("tasks.safety.data.colour", 1, r"tasks.safety.data: unknown key 'colour'"),
        (
            "tasks.safety.data",
            {"kind": "hh_rlhf", "n_train": 1, "n_test": 2},
            r"tasks.safety.data: the key 'source' is missing \(hub id, local folder",
        ),
        (
            "tasks.safety.oracles.helpfulness.kind",
            "beever",
            r"oracles.helpfulness.kind: unknown kind 'beever'",
        ),
        (
            "tasks.safety.oracles.helpfulness",
            {"kind": "python_callable", "callable": "my_rewards:brevity"},
            r"oracles.helpfulness: the key 'version' is missing \(changes when the function does",
        ),
        (
            "tasks.safety.oracles.helpfulness",
            {"kind": "python_callable", "callable": "my_rewards.brevity", "version": "1"},
            r"callable is 'my_rewards.brevity': write package.module:function",
        ),
        (
            "tasks.safety.oracles.helpfulness",
            {"kind": "sequence_classifier", "model": "m", "template": "{question} {response}"},
            r"template is '{question} {response}': use {prompt} and {response}",
        ),
        ("tasks.safety.oracles.humor", {"kind": "synthetic_world"}, r"humor: no such objective"),
        ("tasks.safety.oracles.helpfulness", None, r"no oracle for the objective 'helpfulness'"),
        (
            "tasks.safety.evaluation_vectors",
            [[0.5, 0.5], [0.7, 0.2]],
            r"evaluation_vectors\[1\] is \[0.7, 0.2\] and sums to 0.9: weights must sum to 1",
        ),
        (
            "tasks.safety.evaluation_vectors",
            [[1.0, 0.0], [1.0]],
            r"\[1\] is \[1.0\]: it needs 2 weights",
        ),
        ("tasks.assistant", {}, r"tasks: unknown key 'assistant'"),
        ("online.micro_batch_size", 36, r"batch_size 48 is not a multiple of micro_batch_size 36"),
        ("policy.base.kind", "gpt", r"policy.base.kind: unknown kind 'gpt'"),
        ("policy.lora.rank", 0, r"policy.lora.rank is 0"),
        ("online.learning_rate", "1e-4", r"online.learning_rate is '1e-4'"),
        ("runs", [{"name": "a", "method": "ppo"}], r"runs\[0\].method is 'ppo': choose"),
        (
            "runs",
            [{"name": "a", "method": "sft"}, {"name": "a", "method": "mi_epo"}],
            r"the name 'a' is used twice",
        ),
        (
            "runs",
            [{"name": "a", "method": "mo_odpo", "overrides": {"beta_w": 0.1}}],
            r"runs.a.overrides.beta_w is 0.1, but mo_odpo has no exploration term",
        ),
        (
            "runs",
            [{"name": "a", "method": "ric", "overrides": {"beta_w": 0.1}}],
            r"runs.a.overrides: unknown key 'beta_w'",
        ),
        (
            "runs",
            [{"name": "a", "method": "sft", "overrides": {"epochs": 1}}],
            r"runs.a.overrides: sft has nothing to override",
        ),
        (
            "runs",
            [{"name": "ric", "method": "mi_epo"}],
            r"runs.ric: a run of method mi_epo cannot have the name of another method",
        ),
        (
            "runs",
            [{"name": "mo_odpo_scalarised", "method": "mo_odpo"}],
            r"runs.mo_odpo_scalarised: the name stands for labels scalarised",
        ),
    ],
)
def test_a_mistake_is_explained(config, path, value, said):
    with pytest.raises(ConfigError, match=said) as caught:
        resolve(put(config, path, value))
    assert "\n" not in str(caught.value)


def test_the_given_configs_are_valid():
    tables = ("paper_numbers.yaml", "published_shapes.yaml", "revisions.lock.yaml")
    for path in CONFIG.glob("*.yaml"):
        if path.name not in ("schema.yaml", *tables):
            resolve(yaml.safe_load(path.read_text()))


def test_the_papers_config_has_the_papers_values():
    """Its table 4, and the models and data of its table 3."""
    config = resolve(yaml.safe_load((CONFIG / "paper.yaml").read_text()))
    assert config["seeds"] == [0, 1, 2]
    plan = Plan(config)
    sizes = Counter(entry.stage for entry in plan.entries.values())
    # Two online methods and scalarised MO-ODPO; experts: 2 + 2 + 3 objectives; a base for each data set.
    assert (sizes["online"], sizes["expert"], sizes["ric"]) == (3 * 3 * 3, 7 * 3, 3 * 3)
    assert (sizes["sft"], sizes["base"], sizes["oracle"]) == (3 * 3, 2, 0)
    # PKU-SafeRLHF-10K has fewer than 10K distinct prompts, so its train split is what is left of them.
    for task, base, n_train, alpha, sft_rate, epochs, rate in (
        ("safety", "PKU-Alignment/alpaca-7b-reproduced", None, 0.5, 1e-6, 2, 1e-4),
        ("assistant2", "Qwen/Qwen3-8B-Base", 8000, 1.0, 2e-5, 2, 4e-5),
        ("assistant3", "Qwen/Qwen3-8B-Base", 8000, 1.0, 2e-5, 3, 4e-5),
    ):
        s = task_sections(config, task)
        runs = {run["name"]: run for run in s["runs"]}
        online, ric = runs["mi_epo"]["settings"], runs["ric"]["settings"]
        assert (s["policy"]["base"]["model"], s["policy"]["dtype"]) == (base, "bfloat16")
        lora = {"rank": 64, "alpha": 128, "dropout": 0.05, "target_modules": "all-linear"}
        assert all(run["lora"] == lora for run in runs.values())
        assert (s["data"]["n_train"], s["data"]["n_test"]) == (n_train, 2000)
        assert (s["sft"]["epochs"], s["sft"]["learning_rate"]) == (3, sft_rate)
        assert (online["epochs"], online["learning_rate"]) == (epochs, rate)
        assert (online["beta_c"], online["beta_w"]) == (0.1, 0.01)
        assert online["alpha"] == s["sft"]["alpha"] == ric["alpha"] == alpha
        for settings in (s["sft"], *(run["settings"] for run in runs.values() if run["settings"])):
            assert (settings["batch_size"], settings["scheduler"]) == (64, "cosine")
            assert (settings["warmup_ratio"], settings["max_new_tokens"]) == (0.1, 128)
            assert settings["gradient_checkpointing"]
        assert runs["mo_odpo"]["settings"] == {**online, "beta_w": 0.0}


def test_defaults_are_the_papers(config):
    for section in ("online", "sft", "generation", "experts", "ric"):
        config.pop(section)
    config["policy"] = {"base": config["policy"]["base"]}
    sections = task_sections(resolve(config), "safety")
    runs = {run["name"]: run["settings"] for run in sections["runs"]}
    online = runs["mi_epo"]
    assert (online["beta_c"], online["beta_w"], online["epochs"]) == (0.1, 0.01, 2)
    assert (online["learning_rate"], online["batch_size"], online["warmup_ratio"]) == (
        1e-4,
        64,
        0.1,
    )
    assert (online["scheduler"], online["alpha"], online["ties"]) == ("cosine", 0.5, "skip")
    assert sections["policy"]["lora"] == {
        "rank": 64,
        "alpha": 128,
        "dropout": 0.05,
        "target_modules": "all-linear",
    }
    assert sections["generation"]["max_new_tokens"] == 128
    assert len(sections["evaluation_vectors"]) == 11
    # MO-ODPO is the same but for the exploration term: nothing else may differ.
    assert runs["mo_odpo"] == {**online, "beta_w": 0.0}


def test_a_task_overrides_a_section_and_a_run_overrides_the_task(config):
    config["tasks"]["safety"]["online"] = {"alpha": 1.0, "epochs": 3}
    wide = {"alpha": 2.0, "lora": {"rank": 3}}
    config["runs"].append({"name": "wide", "method": "mi_epo", "overrides": wide})
    runs = {r["name"]: r["settings"] for r in task_sections(resolve(config), "safety")["runs"]}
    assert (runs["mi_epo"]["alpha"], runs["mi_epo"]["epochs"]) == (1.0, 3)
    assert (runs["wide"]["alpha"], runs["wide"]["epochs"]) == (2.0, 3)
    assert runs["wide"]["learning_rate"] == config["online"]["learning_rate"]
    sections = task_sections(resolve(config), "safety")
    ranks = {run["name"]: run["lora"]["rank"] for run in sections["runs"]}
    assert (ranks["wide"], ranks["mi_epo"]) == (3, sections["policy"]["lora"]["rank"])


def test_a_sweep_differs_in_beta_w_alone(config):
    config["tasks"]["safety"]["beta_w_sweep"] = [0, 0.003]
    sections = task_sections(resolve(config), "safety")
    runs = {run["name"]: run["settings"] for run in sections["runs"]}
    sweep = {run["name"]: run["settings"] for run in sections["sweep_runs"]}
    assert sweep["beta_w_0"] == runs["mo_odpo"]
    assert sweep["beta_w_0_003"] == {**runs["mi_epo"], "beta_w": 0.003}
