"""Which policy a path means."""

import json
from pathlib import Path

import pytest

from moa.runtime.errors import JobError
from moa.tools.policies.described import find_policy
from moa.tools.policies.preference import check_preference
from moa.tools.policies.shown import plain
from support.tiny_store import publish, tiny_plan


@pytest.fixture
def policies(store):
    """Dummy entries of two seeds, with their stable paths below this folder."""
    from moa.workflow.views import show_views

    plan = tiny_plan(store, seeds=[0, 1])
    made = [e for e in plan.entries.values() if e.stage not in ("figure", "table", "explorer")]
    for entry in made:
        name = f"{entry.spec['params'].get('run')}-s{entry.spec['seed']}"
        told = {"run": entry.spec["params"].get("run"), "seed": entry.spec["seed"]}
        text = json.dumps(told | {"entries": entry.spec["inputs"]})
        publish(store, [entry], {f"{name}/policy.json": text})
    show_views(plan, store, store.parent.parent)
    return store.parent / "tiny" / "safety" / "policies"


def test_a_path_with_or_without_its_seed(policies):
    assert find_policy(policies / "mi_epo-s1").seed == 1
    assert find_policy(policies / "mi_epo-s1", seed=5).seed == 1  # of the random numbers, then
    assert find_policy(policies / "mi_epo", seed=1).seed == 1
    assert find_policy((policies / "mi_epo-s0").resolve()).told["run"] == "mi_epo"
    (policies / "ric-s0").unlink()
    assert find_policy(policies / "ric").seed == 1


def test_a_path_that_means_none_or_several_is_refused(policies):
    with pytest.raises(JobError, match="policies of seeds 0, 1: choose one with --seed"):
        find_policy(policies / "mi_epo")
    with pytest.raises(JobError, match="there are none of seed 7, but policies of seeds 0, 1"):
        find_policy(policies / "mi_epo", seed=7)
    target = "TARGET=results/tiny/safety/policies/mi_ep-s0`"
    with pytest.raises(JobError, match=rf"no such policy\. There: mi_epo-s0, .*{target}"):
        find_policy(policies / "mi_ep")
    with pytest.raises(JobError, match="None is there yet"):
        find_policy(policies.parents[1] / "elsewhere" / "policies" / "mi_epo")


def test_what_is_no_policys_path_is_told_the_form_of_one_and_no_target(policies):
    (policies.parent / "README.md").write_text("no policy")
    for path in (policies.parent, policies, policies.parent / "README.md", Path("/"), Path("x")):
        with pytest.raises(JobError, match="The path of one has the form results/") as told:
            find_policy(path)
        assert "TARGET" not in str(told.value)


def test_weights_are_as_exact_as_prompts_say_them():
    three = ["a", "b", "c"]
    assert check_preference(["0.33", "0.33", "0.33"], three, 2) == [0.33] * 3  # the paper's own
    with pytest.raises(JobError, match=r"sum to 0\.9, "):
        check_preference([0.3, 0.3, 0.3], three, 2)
    with pytest.raises(JobError, match=r"sum to 0\.99, "):
        check_preference([0.33, 0.33, 0.33], three, 3)


def test_model_text_does_nothing_to_a_terminal():
    assert plain("a\x1b[2Jb\rc\nd\u202ee é") == "a\\x1b[2Jb\\rc\nd\\u202ee é"
