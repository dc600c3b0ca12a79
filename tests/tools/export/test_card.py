"""What a card says of what comes from outside; and every way of conditioning has a program."""

import ast
import json

import pytest
import yaml

from moa.models.goals import preference_to_goal
from moa.tools.export.card import card
from moa.tools.export.exported import Exported
from moa.tools.export.usage import usage
from moa.tools.policies.described import Policy
from moa.workflow.methods import METHODS

GOALS = {"low": [-1.0, -2.0], "high": [2.0, 1.5]}
TOLD = {
    **{"config": "mine", "task": "safety", "run": "ours", "label": "Ours", "method": "mi_epo"},
    **{"conditioned": True, "conditioning": "weights_in_prompt", "merge": None, "seed": 1},
    "objectives": ["helpfulness", "humor"],
    "vectors": [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]],
    "oracles": {
        "helpfulness": {"kind": "sequence_classifier", "model": "a/reward", "commit": "c0"},
        "humor": {"kind": "embedding_head", "archive": "data/llamafactory-0.9.5.tar.gz"},
    },
    "generation": {
        **{"dtype": "bfloat16", "max_prompt_tokens": 512, "max_new_tokens": 128},
        **{"decimals": 2, "temperature": 1, "top_p": 0.9, "batch_size": 64},
    },
    "prompt": "Human: {x} helpfulness 0.50 humor 0.50 Assistant:",
    "goals": None,
    "normalisation": {"mean": [0.5, 1.0], "std": [2.0, 3.0]},
}


@pytest.fixture
def exported(tmp_path):
    """A policy on a base of the hub, as its specs and manifests tell of it; no weights."""
    parts = {
        "base": {"base": {"kind": "hub", "model": "a/base", "commit": "b0", "revision": "main"}},
        "data": {"data": {"kind": "hh_rlhf", "source": "Anthropic/hh-rlhf", "commit": "d0"}},
        "sft": {"lora": {"rank": 4}, "settings": {"epochs": 3}},
        "policy": {"lora": {"rank": 4}, "settings": {"beta_w": 0.01}},
        "oracle/humor": {"objective": "humor"},
        "oracle_stats": {},
    }
    inputs = {}
    for role, params in parts.items():
        stage = {"policy": "online", "oracle/humor": "oracle"}.get(role, role)
        inputs[role] = tmp_path / stage / f"{stage}-0123456789ab"
        inputs[role].mkdir(parents=True)
        versions = {"pyjokes": "0.8.3"} if stage == "oracle" else {}
        spec = {"params": params, "versions": versions}
        (inputs[role] / "spec.json").write_text(json.dumps(spec))
        manifest = {
            **{"notes": {}, "wall_seconds": 7200, "max_rss_mb": 9000, "git_commit": "abc"},
            **{"hardware": {"cpus": 8, "gpus": ["NVIDIA A100"]}, "versions": {"torch": "2.13.0"}},
        }
        (inputs[role] / "manifest.json").write_text(json.dumps(manifest))
    report = {"heldout": {"human": {"auc": 0.81234, "n_labels": 90}}}
    (inputs["oracle/humor"] / "report.json").write_text(json.dumps(report))
    entries = {role: f"{f.parent.name}/{f.name}" for role, f in inputs.items()}
    entry = tmp_path / "policy" / "ours-0123456789ab"
    return Exported(Policy({**TOLD, "entries": entries}, entry, inputs), False, None)


def test_what_comes_from_outside_is_named_with_its_terms(exported):
    text = card(exported, usage(exported))
    front = yaml.safe_load(text.split("---")[1])
    assert front["base_model"] == "a/base" and front["datasets"] == ["Anthropic/hh-rlhf"]
    assert front["license"] == "other" and front["library_name"] == "peft"
    assert "| Anthropic/hh-rlhf | MIT | prompts and responses |" in text
    assert "| pyjokes 0.8.3 | BSD-3-Clause" in text and "| llamafactory 0.9.5" in text
    for name in ("a/base", "a/reward"):
        assert f"| {name} | not known here: read its page on the hub" in text
    assert "| humor | kind embedding_head" in text
    assert "| human: auc 0.8123, n_labels 90 | 1 / 3 |" in text
    assert "| not fitted here, so not measured | 0.5 / 2 |" in text
    assert "at commit `b0`, which is loaded from the hub" in text
    assert "| online (policy) | 2.0h | NVIDIA A100 | 9000 MB | abc |" in text
    assert "beta_w: 0.01" in text and "Not evaluated" in text and "seed 1." in text


def test_a_base_of_the_hub_is_loaded_by_its_commit_and_in_its_type(exported):
    program = usage(exported)
    assert 'from_pretrained(\n    "a/base", revision="b0", dtype=torch.bfloat16\n)' in program
    assert program.index('adapters/sft"') < program.index('adapters/policy"')


@pytest.mark.parametrize("conditioning", sorted({m.conditioning for m in METHODS.values()}))
@pytest.mark.parametrize("merged", [False, True])
def test_every_way_of_conditioning_has_a_program(exported, conditioning, merged):
    told = exported.told | {"conditioning": conditioning, "goals": {**GOALS, "rule": "l2"}}
    soup = conditioning == "merged_experts"
    policy = Policy(
        told | {"merge": "exact" if soup else None}, exported.policy.entry, exported.policy.inputs
    )
    program = usage(Exported(policy, merged, [0.3, 0.7] if soup and merged else None))
    tree = ast.parse(program)
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {"prompt", "respond"} <= defined and ("mix" in defined) == (soup and not merged)
    assert max(map(len, program.splitlines())) < 120


@pytest.mark.parametrize("rule", ["l2", "linf", "linear"])
def test_goals_in_a_program_are_those_of_the_workflow(exported, rule):
    told = exported.told | {"conditioning": "goals_in_prompt", "goals": {**GOALS, "rule": rule}}
    policy = Policy(told, exported.policy.entry, exported.policy.inputs)
    lines = usage(Exported(policy, True, None))
    part = lines[lines.index("def form") : lines.index("def fitting")]
    names = {"OBJECTIVES": told["objectives"]}
    exec("import numpy as np\n" + part, names)
    for w in ([0.3, 0.7], [1.0, 0.0]):
        one, other = preference_to_goal(w, GOALS["low"], GOALS["high"], rule).round(1) + 0.0
        said = f"Human: x helpfulness {one:.1f} humor {other:.1f} Assistant:"
        assert names["prompt"]("x", w) == said
