"""A wrong config stops with one message that names the key, what is wrong and how to mend it."""

import json
from collections import Counter

import pytest
import yaml

from moa.runtime.errors import ConfigError
from moa.tools.garbage import whole_configs
from moa.workflow.config import resolve
from moa.workflow.inherit import read_config
from moa.workflow.plan import Plan
from moa.workflow.stages import STAGES
from support.paths import CONFIG


@pytest.fixture
def config():
    return yaml.safe_load((CONFIG / "synthetic.yaml").read_text())


def put(config, path, value):
    """Set config["a"]["b"] for the path "a.b"; None removes the key."""
    changed = json.loads(json.dumps(config))  # tasks share what has an anchor: take it apart
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
        ("seeds", [0, 0], r"seeds is \[0, 0\]: list different whole numbers from 0 to"),
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
        (
            "tasks.safety.judges",
            {"helpfulness": {"kind": "synthetic_proxy"}},
            r"safety.judges: no judge for the objective 'harmlessness'; add one",
        ),
        (
            "tasks.safety.judges",
            {
                "helpfulness": {"kind": "synthetic_proxy"},
                "harmlessness": {"kind": "synthetic_world"},
            },
            r"safety.judges.harmlessness is the oracle again, so it would find what was trained",
        ),
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
        ("tasks", {}, r"tasks is \{\}: give at least one task"),
        (
            "tasks.safety.objectives",
            ["helpfulness"],
            r"objectives is \['helpfulness'\]: list two names or more",
        ),
        ("tasks.safety.paper", "saefty", r"tasks.safety.paper is 'saefty': choose one of safety"),
        (
            "extends",
            "nothing.yaml",
            r"extends is 'nothing.yaml': there is no .*name a config beside",
        ),
        ("online.epochs", float("nan"), r"online.epochs is nan: it must be a finite number"),
        ("generation", [], r"generation is \[\]: it must be a mapping"),
        ("online.batch_size", "32", r"online.batch_size is '32': .*write 32$"),
        ("name", "store", r"name is 'store': .*store, logs and work are folders"),
        ("store", "", r"store is ''"),
        ("store", "$NO_SUCH/x", r"store is '\$NO_SUCH/x': the variable NO_SUCH is not set"),
        ("store", "~nobody-here/x", r"nobody here has that home; write the path itself"),
        ("store", "a{name}", r"store is 'a{name}': Snakemake takes braces for wildcards"),
        ("policy.base", {"kind": "hub", "model": ""}, r"policy.base.model is '': it must have"),
        ("policy.base", {"kind": "hub", "model": "$NO_SUCH/x"}, r"the variable NO_SUCH is not set"),
        ("policy.lora.target_modules", "", r"target_modules is '': it must have"),
        ("policy.lora.target_modules", [], r"target_modules is \[\]: it must "),
        ("name", "x\n", r"name is 'x\\n': use at most 64 lower-case letters"),
        ("online.learning_rate", float("inf"), r"learning_rate is inf: it must be a finite number"),
        ("policy.lora.rank", 4.5, r"policy.lora.rank is 4.5: it must be a valid integer"),
        ("tasks.safety.data", {"n_train": 1, "n_test": 2}, r"data: the key 'kind' is missing"),
        ("online.micro_batch_size", 36, r"batch_size 48 is not a multiple of micro_batch_size 36"),
        ("policy.base.kind", "gpt", r"policy.base.kind: unknown kind 'gpt'"),
        ("policy.lora.rank", 0, r"policy.lora.rank is 0"),
        ("online.learning_rate", "1e-4", r"online.learning_rate is '1e-4': .*write 1.0e-4"),
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
            [{"name": "a", "method": "mi_epo", "overrides": {"lora": None}}],
            r"runs.a.overrides.lora is None: it must be a mapping",
        ),
        (
            "runs",
            [{"name": "mo_odpo", "method": "mo_odpo", "overrides": {"labels": "scalarised"}}],
            r"runs.mo_odpo: with labels scalarised this is no plain mo_odpo; name the run mo_odpo_sca",
        ),
        (
            "runs",
            [{"name": "beta_w_0_01", "method": "mi_epo", "overrides": {"beta_w": 0.5}}],
            r"runs.beta_w_0_01: that is the name of the run of 0.01 in tasks.safety.beta_w_sweep",
        ),
        (
            "tasks.safety.beta_w_sweep",
            [0.01, 0.010000001],
            r"beta_w_sweep: 0.01 and 0.010000001 are the same to six digits",
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


def test_all_mistakes_are_told_at_once(config):
    config = put(put(config, "online.alpha", 0), "policy.lora.rnak", 4)
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    places = {line.split(":")[0] for line in str(caught.value).splitlines()}
    assert places == {"policy.lora", "online.alpha is 0"}
    # Also what is found only once the file can be read: the rest is read without its mistakes.
    config["tasks"]["safety"]["oracles"] = {"humour": {"kind": "synthetic_world"}}
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    said = str(caught.value)
    assert "'rnak'" in said and "alpha is 0" in said and "humour: no such objective" in said
    config = put(put(config, "online.alpha", 1), "policy.lora", {"rank": 4})
    config["runs"] += [{"name": "sft", "method": "sft"}]
    config["runs"] += [{"name": "odd", "method": "mi_epo", "overrides": {"micro_batch_size": 36}}]
    config["tasks"]["safety"]["oracles"] = {"harmlessness": {"kind": "synthetic_world"}}
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    said = str(caught.value)
    assert "used twice" in said and "no oracle for the objective" in said
    assert said.count("no multiple") + said.count("not a multiple") == len(config["tasks"])


def test_whole_numbers_may_be_written_as_floats(config):
    config |= yaml.safe_load("seeds: [0.0]")
    config["policy"]["lora"] |= yaml.safe_load("rank: 4.0")
    config["tasks"]["safety"]["data"] |= yaml.safe_load("n_train: 3.2e+1")
    resolved = resolve(config)
    task = resolved.tasks["safety"]
    found = [*resolved.seeds, task.policy.lora.rank, task.data.n_train]
    assert found == [0, 4, 32] and all(isinstance(number, int) for number in found)


def test_a_path_is_read_as_a_shell_reads_it(config, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    for written, meant in (
        ("~/my store", f"{tmp_path}/my store"),
        ("$SCRATCH/store", "/scratch/me/store"),
        ("${SCRATCH}/store", "/scratch/me/store"),
        ("results/store", "results/store"),
    ):
        assert resolve({**config, "store": written}).store == meant
        config["policy"]["base"] = {"kind": "hub", "model": written}
        assert resolve(config).tasks["safety"].policy.base.model == meant


def test_a_number_has_one_key_however_it_is_written(config):
    def keys(**changes):
        changed = {**config, "online": {**config["online"], **changes}}
        return set(Plan(resolve(changed)).entries)

    assert keys(alpha=1, epochs=2) == keys(alpha=1.0, epochs=2.0) != keys(alpha=1.5, epochs=2)


def test_runs_that_are_the_same_are_refused(config):
    config["runs"] += [{"name": "twin", "method": "mi_epo", "overrides": {"beta_w": 0.01}}]
    with pytest.raises(ConfigError, match=r"runs.twin: it is the same as runs.mi_epo"):
        Plan(resolve(config))
    config["runs"][-1]["overrides"] = {"beta_w": 0}
    with pytest.raises(ConfigError, match=r"runs.twin: it is the same as runs.mo_odpo"):
        Plan(resolve(config))


def test_a_config_extends_another(tmp_path):
    (tmp_path / "base.yaml").write_text((CONFIG / "synthetic.yaml").read_text())
    (tmp_path / "middle.yaml").write_text("extends: base.yaml\nname: middle\nonline: {epochs: 3}\n")
    last = tmp_path / "last.yaml"
    last.write_text(
        "extends: middle.yaml\nname: last\nonline: {beta_c: 0.5}\n"
        "tasks: {assistant2: null, assistant3: null, safety: {beta_w_sweep: []}}\n"
        "policy: {base: {layers: 3}}\nruns: [{name: mi_epo, method: mi_epo}]\n"
    )
    config = resolve(read_config(last))
    assert config.name == "last" and list(config.tasks) == ["safety"]
    (run,) = config.tasks["safety"].runs
    assert (run.settings.epochs, run.settings.beta_c) == (3, 0.5)
    base = config.tasks["safety"].policy.base
    assert (base.layers, base.hidden_size) == (3, 128) and not config.tasks["safety"].sweep
    (tmp_path / "base.yaml").write_text("extends: last.yaml\n")
    with pytest.raises(ConfigError, match="extends itself"):
        read_config(last)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nextends: bad.yaml\n", r"bad.yaml is no mapping of keys"),
        ("name: x\nextends: broken.yaml\n", r"broken.yaml cannot be read as YAML"),
        ("extends: good.yaml\n", r"the key 'name' is missing; what this config makes needs a name"),
        (
            "name: x\nextends: good.yaml\ntasks: {safty: null}\n",
            r"tasks.safty is null, but good.yaml",
        ),
    ],
)
def test_what_cannot_be_extended_is_named(tmp_path, text, said):
    (tmp_path / "good.yaml").write_text((CONFIG / "synthetic.yaml").read_text())
    (tmp_path / "bad.yaml").write_text("- a list\n")
    (tmp_path / "broken.yaml").write_bytes(b"name: caf\xe9\n")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        read_config(tmp_path / "mine.yaml")
    assert "\n" not in str(caught.value)


def test_a_study_shares_what_its_base_made():
    protocol, study = (
        Plan(resolve(read_config(CONFIG / f"{n}.yaml"))) for n in ("protocol", "phase_diagram")
    )
    kept = ("scratch_llama", "safety", "assistant", "mo_odpo-", "mi_epo-")
    shared = {
        rel
        for rel in study.entries
        if rel.split("/")[1].startswith(kept) and not STAGES[rel.split("/")[0]].remade
    }
    assert len(shared) > 100 and shared <= protocol.entries.keys()


def test_the_given_configs_are_valid():
    for path in whole_configs(CONFIG):
        resolve(read_config(path))
    assert len(whole_configs(CONFIG)) == 13


def test_the_papers_config_has_the_papers_values():
    """Its table 4, and the models and data of its table 3."""
    config = resolve(read_config(CONFIG / "paper.yaml"))
    assert config.seeds == [0, 1, 2]
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
        s = config.tasks[task]
        runs = {run.name: run for run in s.runs}
        online, ric = runs["mi_epo"].told, runs["ric"].told
        assert (s.policy.base.model, s.policy.dtype) == (base, "bfloat16")
        lora = {"rank": 64, "alpha": 128, "dropout": 0.05, "target_modules": "all-linear"}
        assert all(run.lora.model_dump() == lora for run in runs.values())
        assert (s.data.n_train, s.data.n_test) == (n_train, 2000)
        assert (s.sft.epochs, s.sft.learning_rate) == (3, sft_rate)
        assert (online.epochs, online.learning_rate) == (epochs, rate)
        assert (online.beta_c, online.beta_w) == (0.1, 0.01)
        assert online.alpha == s.sft.alpha == ric.alpha == alpha
        for told in (s.sft, *(run.told for run in runs.values() if run.told)):
            assert (told.batch_size, told.scheduler) == (64, "cosine")
            assert (told.warmup_ratio, told.max_new_tokens) == (0.1, 128)
            assert told.gradient_checkpointing
        assert runs["mo_odpo"].told == online.model_copy(update={"beta_w": 0.0})


def test_defaults_are_the_papers(config):
    for section in ("online", "sft", "generation", "experts", "ric"):
        config.pop(section)
    config["policy"] = {"base": config["policy"]["base"]}
    task = resolve(config).tasks["safety"]
    runs = {run.name: run.told for run in task.runs}
    online = runs["mi_epo"]
    assert (online.beta_c, online.beta_w, online.epochs) == (0.1, 0.01, 2)
    assert (online.learning_rate, online.batch_size, online.warmup_ratio) == (1e-4, 64, 0.1)
    assert (online.scheduler, online.alpha, online.ties) == ("cosine", 0.5, "skip")
    assert task.policy.lora.model_dump() == {
        "rank": 64,
        "alpha": 128,
        "dropout": 0.05,
        "target_modules": "all-linear",
    }
    assert task.asked.max_new_tokens == 128
    assert len(task.vectors) == 11
    # MO-ODPO is the same but for the exploration term: nothing else may differ.
    assert runs["mo_odpo"] == online.model_copy(update={"beta_w": 0.0})


def test_a_task_overrides_a_section_and_a_run_overrides_the_task(config):
    config["tasks"]["safety"]["online"] = {"alpha": 1.0, "epochs": 3}
    wide = {"alpha": 2.0, "lora": {"rank": 3}}
    config["runs"].append({"name": "wide", "method": "mi_epo", "overrides": wide})
    task = resolve(config).tasks["safety"]
    runs = {run.name: run.settings for run in task.runs}
    assert (runs["mi_epo"].alpha, runs["mi_epo"].epochs) == (1.0, 3)
    assert (runs["wide"].alpha, runs["wide"].epochs) == (2.0, 3)
    assert runs["wide"].learning_rate == config["online"]["learning_rate"]
    ranks = {run.name: run.lora.rank for run in task.runs}
    assert (ranks["wide"], ranks["mi_epo"]) == (3, task.policy.lora.rank)


def test_a_sweep_differs_in_beta_w_alone_and_is_labelled_by_it(config):
    config["tasks"]["safety"]["beta_w_sweep"] = [0, 0.003]
    task = resolve(config).tasks["safety"]
    runs = {run.name: run.settings for run in task.runs}
    sweep = {run.name: run.settings for run in task.sweep}
    assert sweep["beta_w_0"] == runs["mo_odpo"]
    assert sweep["beta_w_0_003"] == runs["mi_epo"].model_copy(update={"beta_w": 0.003})
    assert [run.label for run in task.sweep] == ["beta_w = 0", "beta_w = 0.003"]
