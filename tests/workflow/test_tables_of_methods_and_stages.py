"""Methods and stages are known in one place each; rules and profiles agree with it."""

import ast
import re

import pytest
import yaml

import evaluate_block
from moa.workflow.methods import METHODS, compared, run_label
from moa.workflow.stages import PARTS, STAGES
from support.paths import REPO, SCRIPTS

# Stages and sections have the names sft and ric as well.
NAMES = METHODS.keys() - {"sft", "ric"}
KNOWN_IN = {"moa/workflow/methods.py", "moa/reporting/figures/style.py"}


def rules():
    """name -> text of every rule."""
    text = "\n".join(path.read_text() for path in sorted((REPO / "rules").glob("*.smk")))
    parts = re.split(r"^rule (\w+):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_stage_has_a_script_and_a_rule_of_its_name():
    found = rules()
    scripts = {stage.script for name, stage in STAGES.items() if name not in PARTS}
    assert found.keys() - scripts == {"prefetch", "check", "report", "no_such_view"}
    for name, stage in STAGES.items():
        assert (SCRIPTS / f"{stage.script}.py").is_file()
        if name in PARTS:
            continue
        rule = found[stage.script]
        assert f'"{stage.script}"' in rule
        assert ("gpu=gpus(" in rule) == stage.gpu, name
        assert ("launcher=launcher(" in rule) == stage.trains, name
        assert ("localrule: True" in rule) == stage.remade, name
        assert f'manifest("{name}")' in rule
        assert f'early("{name}")' in rule


def test_a_part_is_made_by_the_job_of_one_stage():
    listed = [part for stage in STAGES.values() for part in stage.parts]
    assert sorted(listed) == sorted(PARTS) and STAGES.keys() > PARTS
    assert not any(STAGES[part].parts or STAGES[part].trains for part in PARTS)
    assert list(evaluate_block.parts()) == list(STAGES["evaluate"].parts)


def test_the_slurm_profile_asks_for_a_gpu_where_a_stage_runs_a_model():
    profile = yaml.safe_load((REPO / "profiles/slurm/config.yaml").read_text())
    on_gpus = {stage.script for name, stage in STAGES.items() if stage.gpu and name not in PARTS}
    assert profile["set-threads"].keys() == on_gpus
    asked = {rule: what.get("gpu_model") for rule, what in profile["set-resources"].items()}
    assert asked == {**dict.fromkeys(on_gpus, "a100"), "build_base": None}
    local = yaml.safe_load((REPO / "profiles/local/config.yaml").read_text())
    assert not local.keys() & {"set-resources", "set-threads", "default-resources"}


def test_every_method_names_what_is_there():
    for method in METHODS.values():
        assert method.stage is None or STAGES[method.stage].trains
        if method.has_policy:
            assert (SCRIPTS / f"moa/models/conditioning/{method.conditioning}.py").is_file()
        else:  # nothing of it is trained
            assert method.stage is method.section is method.loss is None
        if method.loss:
            assert (SCRIPTS / f"moa/training/online_losses/{method.loss}.py").is_file()
        assert (method.stage == "online") == (method.loss is not None)
    assert compared() == ["mo_odpo", "mi_epo"]


def test_labels_come_from_the_table():
    assert run_label("mo_odpo_scalarised", METHODS["mo_odpo"]) == "MO-ODPO (scalarised)"
    assert run_label("mi_epo", METHODS["mi_epo"]) == "MI-EPO"
    assert run_label("mi_epo_strong", METHODS["mi_epo"]) == "mi_epo_strong"
    assert run_label("beta_w_0_01", METHODS["mi_epo"]) == "beta_w_0_01"


@pytest.mark.parametrize("path", sorted(SCRIPTS.rglob("*.py")), ids=lambda p: p.name)
def test_no_method_is_known_by_its_name_elsewhere(path):
    if path.relative_to(SCRIPTS).as_posix() in KNOWN_IN:
        return
    # A docstring is a statement of its own, and may say what it likes.
    tree = ast.parse(path.read_text())
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and id(node) not in texts and node.value in NAMES
    }
    assert not found
