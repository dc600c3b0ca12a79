"""What changes a content key, and what does not."""

import ast
import subprocess
import sys

import pytest

from moa.runtime.errors import NotInstalled
from moa.workflow.config import resolve
from moa.workflow.keys import (
    _written_out,
    canonical_json,
    code_files,
    constant,
    content_key,
    files_digest,
    library_versions,
)
from moa.workflow.plan import Plan
from moa.workflow.stages import STAGES
from support.checkouts import copy_repo, edited, planned
from support.paths import SCRIPTS
from support.tiny_store import tiny_config

SPEC = {
    "stage": "online",
    "name": "mi_epo-safety-s0",
    "params": {"online": {"beta_w": 0.01, "epochs": 2}, "objectives": ["a", "b"]},
    "seed": 0,
    "inputs": {"sft": "sft/safety-s0-0123456789ab"},
    "code": "c0de",
    "versions": {"torch": "2.13.0"},
    "store_version": 1,
    "operation": {"report_to": []},
}


def changed(**fields):
    return content_key({**SPEC, **fields})


def test_every_field_that_matters_changes_the_key():
    keys = {
        content_key(SPEC),
        changed(stage="sft"),
        changed(params={**SPEC["params"], "objectives": ["b", "a"]}),
        changed(params={**SPEC["params"], "online": {"beta_w": 0.02, "epochs": 2}}),
        changed(seed=1),
        changed(inputs={"sft": "sft/safety-s0-ffffffffffff"}),
        changed(inputs={"other": "sft/safety-s0-0123456789ab"}),
        changed(code="c0df"),
        changed(versions={"torch": "2.14.0"}),
        changed(store_version=2),
    }
    assert len(keys) == 10


def test_labels_and_operation_do_not_change_the_key():
    assert changed(name="another") == content_key(SPEC)
    assert changed(operation={"report_to": ["tensorboard"]}) == content_key(SPEC)
    assert changed(code_files={"moa/losses.py": "0123456789ab"}) == content_key(SPEC)
    assert changed(inputs={"sft": "sft/renamed-0123456789ab"}) == content_key(SPEC)


def test_a_whole_number_is_one_value_however_it_is_written():
    assert changed(params={"alpha": 1, "n": [2, {"x": 3}]}) == changed(
        params={"alpha": 1.0, "n": [2.0, {"x": 3.0}]}
    )
    assert changed(params={"alpha": 1.5}) != changed(params={"alpha": 1})
    assert changed(params={"flag": True}) != changed(params={"flag": 1})


def test_key_order_does_not_matter_and_nan_is_refused():
    assert content_key(dict(reversed(SPEC.items()))) == content_key(SPEC)
    assert canonical_json({"b": 1, "a": [1.0]}) == '{"a":[1.0],"b":1}'
    with pytest.raises(ValueError):
        canonical_json({"a": float("nan")})


def test_a_missing_library_is_named_with_the_mend():
    said = r"no-such-library is not installed.*`.venv/bin/pip install no-such-library`"
    with pytest.raises(NotInstalled, match=said):
        library_versions(["no-such-library"])
    assert library_versions(["no-such-library"], "unknown") == {"no-such-library": "unknown"}


def test_a_library_of_a_scale_is_installed_as_its_lock_says(tmp_path):
    """In a copy whose lock has it: what is installed here shall not matter."""
    copy_repo(tmp_path)
    (tmp_path / "requirements-large.lock").write_text("no-such-library==1.0\n")
    code = "from moa.workflow.keys import library_versions; library_versions(['no-such-library'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "workflow_scripts")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "run `make setup CONFIG=config/large.yaml`, or" in done.stderr
    assert "--requirement requirements-large.lock`" in done.stderr


@pytest.fixture
def package(tmp_path):
    """A script that imports moa.a, which imports moa.sub.b through a relative import."""
    root = tmp_path / "scripts"
    (root / "moa" / "sub").mkdir(parents=True)
    (root / "moa" / "__init__.py").write_text('"""Package."""\n')
    (root / "moa" / "sub" / "__init__.py").write_text("")
    (root / "moa" / "a.py").write_text("def f():\n    from .sub import b\n    return b.g()\n")
    (root / "moa" / "sub" / "b.py").write_text('def g():\n    """Doc."""\n    return 1\n')
    (root / "moa" / "c.py").write_text("x = 1\n")
    (root / "run.py").write_text("from moa import a\n\nprint(a.f())\n")
    return root


def digest(root, modules=()):
    return files_digest(code_files(root / "run.py", modules, root=root))


def test_a_change_in_a_transitive_import_changes_the_digest(package):
    before = digest(package)
    (package / "moa" / "sub" / "b.py").write_text("def g():\n    return 2\n")
    assert digest(package) != before


def test_comments_docstrings_and_formatting_do_not(package):
    before = digest(package)
    (package / "moa" / "sub" / "b.py").write_text(
        'def g():\n    """Another."""\n    # why\n    return (\n        1\n    )\n'
    )
    (package / "moa" / "__init__.py").write_text("")
    assert digest(package) == before


def test_modules_that_are_not_imported_do_not_until_they_are_named(package):
    before, named = digest(package), digest(package, ["moa.c"])
    (package / "moa" / "c.py").write_text("x = 2\n")
    assert digest(package) == before
    assert digest(package, ["moa.c"]) != named != before
    with pytest.raises(FileNotFoundError, match=r"moa\.nothing"):
        digest(package, ["moa.nothing"])


def test_constants_are_read_without_importing(package):
    (package / "moa" / "c.py").write_text("FITTED: bool = True\nraise SystemExit\n")
    assert constant("moa.c", "FITTED", False, root=package) is True
    assert constant("moa.c", "OTHER", 7, root=package) == 7


# The rest plans a real config in a copy of the repository, and edits that copy.


@pytest.fixture
def checkout(tmp_path):
    copy_repo(tmp_path)
    return tmp_path


def plan(checkout, **overrides):
    """stage -> set of keys of the synthetic config."""
    found = {}
    for stage, _, key in planned(checkout, "config/synthetic.yaml", **overrides):
        found.setdefault(stage, set()).add(key)
    return found


def changed_stages(before, after):
    return {stage for stage in before if before[stage].isdisjoint(after[stage])}


AFTER_TRAINING = {"metrics", "figure", "table", "explorer"}


def test_a_reworded_message_of_the_runtime_or_the_planner_changes_no_key(checkout):
    before = plan(checkout)
    moa = checkout / "workflow_scripts" / "moa"
    edited(moa / "runtime/locks.py", "another process", "some other process")
    edited(moa / "runtime/job.py", "is making this entry; waiting for it", "makes this; waiting")
    edited(moa / "workflow/explain.py", "unknown key", "a key that nobody knows:")
    assert plan(checkout) == before


def test_a_reworded_explanation_or_a_new_limit_of_a_setting_changes_no_key(checkout):
    before = plan(checkout)
    settings = checkout / "workflow_scripts/moa/training/settings.py"
    edited(settings, "Gradient clipping.", "The largest norm of a gradient.")
    assert plan(checkout) == before
    edited(
        settings, "max_grad_norm: Positive = 1.0", "max_grad_norm: Positive = 12.5"
    )  # no .pyc of this second fits its size
    assert {"sft", "online", "expert", "ric"} <= changed_stages(before, plan(checkout))


def test_settings_files_hold_types_and_nothing_that_computes():
    """They are left out of the code digest, which is right only as long as this holds."""
    for path in SCRIPTS.rglob("settings.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                # Readings of numbers and paths are shared by all: what they return stands in the spec.
                assert path.parent.name == "runtime", path
                assert getattr(node, "name", "") in ("_whole", "_unsigned", "_expanded"), path
        imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        allowed = {"__future__", "typing", "pydantic"}
        if path.parent.name == "runtime":  # a reading of paths, too
            allowed.add("moa.runtime.own_files")
        assert all(name in allowed or name.endswith(".settings") for name in imported if name)


def test_a_changed_loss_retrains_only_what_uses_it(checkout):
    before = plan(checkout)
    edited(checkout / "workflow_scripts/moa/losses.py", ".mean(dim=1)", ".mean(dim=1) * 1.0")
    after = plan(checkout)
    assert changed_stages(before, after) == {"online"} | AFTER_TRAINING
    # SFT, RLHF, Rewarded Soups and RiC answer as before: three tasks, one seed.
    assert len(before["generate"] & after["generate"]) == 4 * 3


@pytest.mark.parametrize(
    ("script", "others"),
    [
        ("generate_responses", {*STAGES["evaluate"].parts}),
        ("compute_likelihoods", {"likelihoods"}),
        ("compute_reference", {"reference"}),
        ("score_responses", {"score"}),
        ("evaluate_block", set()),
    ],
)
def test_the_code_of_a_part_is_in_its_own_key_alone(checkout, script, others):
    before = plan(checkout)
    with open(checkout / f"workflow_scripts/{script}.py", "a") as handle:
        handle.write("\nTOUCHED = True\n")
    reports = {"metrics", "figure", "table", "explorer"} if others else set()
    after = plan(checkout)
    assert {s for s in before if before[s] != after[s]} == others | {"evaluate"} | reports


def test_changing_a_parameter_and_back_gives_the_same_keys(checkout):
    before = plan(checkout)
    changed = plan(checkout, online={"epochs": 1, "learning_rate": 1.0e-3})
    assert changed_stages(before, changed) == {"online"} | AFTER_TRAINING
    assert plan(checkout) == before


def test_a_changed_dataset_module_changes_everything_downstream_but_not_the_base(checkout):
    before = plan(checkout)
    edited(
        checkout / "workflow_scripts/moa/datasets/synthetic_world.py", "range(2)", "range(3 - 1)"
    )
    after = plan(checkout)
    assert before["base"] == after["base"]
    assert changed_stages(before, after) == set(before) - {"base"}


def test_a_figure_module_changes_only_its_figure(checkout):
    before = plan(checkout)
    with open(checkout / "workflow_scripts/moa/reporting/figures/pareto_fronts.py", "a") as handle:
        handle.write("\nTOUCHED = True\n")
    after = plan(checkout)
    assert len(before["figure"] & after["figure"]) == len(before["figure"]) - 3  # one per task
    assert {s for s in before if before[s] != after[s]} == {"figure"}


@pytest.mark.parametrize("source", ["page/index.html", "page/front.js", "packing.py"])
def test_the_explorers_sources_change_only_explorers(checkout, source):
    before = plan(checkout)
    file = checkout / "workflow_scripts/moa/reporting/explorer" / source
    file.write_text(file.read_text() + ("\nTOUCHED = True\n" if source.endswith(".py") else " "))
    after = plan(checkout)
    assert {s for s in before if before[s] != after[s]} == {"explorer"}


def test_another_seed_shares_nothing_that_depends_on_it(checkout):
    first, second = plan(checkout, seeds=[0]), plan(checkout, seeds=[1])
    assert changed_stages(first, second) == {
        *("sft", "online", "expert", "ric", "policy", *STAGES["evaluate"].parts, "evaluate"),
        *AFTER_TRAINING,
    }


def test_the_version_of_the_package_that_a_base_comes_in_counts(tmp_path):
    def versions(package):
        base = {"kind": "packaged_gguf", "package": package, "file": "a.gguf"}
        policy = {**tiny_config(tmp_path)["policy"], "base": base}
        plan = Plan(resolve(tiny_config(tmp_path, policy=policy)), "not installed")
        return plan.shared["safety"]["base"].spec["versions"]

    assert "pandas" in versions("pandas") and "pandas" not in versions("numpy")


def test_a_key_does_not_depend_on_the_version_of_python():
    """Fields that another version adds are empty in code that does not use them."""
    tree = ast.parse("def f(x: int = 0) -> None:\n    return None\nclass A:\n    pass\n")
    before = _written_out(tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            node._fields = (*node._fields, "type_params", "of_later")
            node.type_params, node.of_later = [], None
    assert _written_out(tree) == before
    assert before != _written_out(ast.parse("def f(x: int = 1) -> None:\n    return None\n"))
