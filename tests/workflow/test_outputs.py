"""Figures are planned where there is something to show."""

import pytest

from moa.workflow.outputs import FIGURES, SWEEP
from support.tiny_store import tiny_config, tiny_plan


@pytest.mark.parametrize(
    ("methods", "nothing_for"),
    [
        (["sft"], {"exploration", "training_curves"}),
        (["rlhf"], {"exploration"}),
        (["sft", "ric"], {"exploration"}),
        (["sft", "mo_odpo"], set()),
    ],
)
def test_a_figure_of_what_no_run_has_is_not_planned(store, methods, nothing_for):
    task = tiny_config(store)["tasks"]["safety"] | {"beta_w_sweep": []}
    runs = [{"name": name, "method": name} for name in methods]
    plan = tiny_plan(store, tasks={"safety": task}, runs=runs)
    figures = {path.split("/")[-1].split(".")[0] for path in plan.views if "/figures/" in path}
    all_of_them = set(FIGURES) - {SWEEP, "front_3d"}
    assert figures == all_of_them - nothing_for
    drawn = {e.spec["params"]["figure"] for e in plan.entries.values() if e.stage == "figure"}
    assert drawn == figures
