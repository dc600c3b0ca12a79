"""The table that pools tasks, on numbers worked out by hand."""

import json

import pandas as pd
import pytest

import write_tables
from moa.metrics import interquartile_mean
from moa.runtime.files import write_json
from moa.runtime.publishing import Job

RUNS = {  # of each task, HV of two seeds
    "safety": {"mo_odpo": [1.0, 3.0], "mi_epo": [5.0, 5.0], "ric": [4.0, 4.0]},
    "assistant": {"mo_odpo": [0.0, 0.0], "mi_epo": [1.0, 2.0]},
}


def metrics(task):
    runs = {
        name: {
            "label": name.upper(),
            "hv": {"mean": sum(values) / 2},
            "mip": {"mean": 1.0},
            "crd": {"mean": sum(values) / 2},
            "seeds": {str(s): {"hv": v, "mip": 1.0, "crd": v} for s, v in enumerate(values)},
        }
        for name, values in RUNS[task].items()
    }
    chance = {key: {"over_seeds": {"improvement": 0.75}} for key in ("hv", "mip", "crd")}
    pair = {"run": "mi_epo", "against": "mo_odpo", **chance}
    return {"config": "c", "judged": None, "runs": runs, "comparisons": [pair]}


@pytest.fixture
def written(tmp_path):
    inputs = {}
    for task in RUNS:
        inputs[f"metrics/{task}"] = tmp_path / task
        inputs[f"metrics/{task}"].mkdir()
        write_json(tmp_path / task / "metrics.json", metrics(task))
    (out := tmp_path / "out").mkdir()
    params = {"table": "pooled", "name": "pooled", "paper": {}}
    write_tables.main(Job({"params": params}, inputs, out, tmp_path))
    return out


def test_by_hand(written):
    """HV of mo_odpo: -1/3 and 1/3 of the way from 2 to 5, and 0 twice; the middle half of these is 0."""
    found = pd.read_csv(written / "pooled.csv").set_index(["run", "metric"])
    assert found.loc[("mo_odpo", "hv"), "score"] == 0
    # 1 and 1 on safety, 2/3 and 4/3 on assistant
    assert found.loc[("mi_epo", "hv"), "score"] == pytest.approx(1)
    assert found.loc[("mi_epo", "hv"), "low"] < 1 < found.loc[("mi_epo", "hv"), "high"]
    assert "ric" not in found.index  # not in every task
    assert found.loc[("mo_odpo", "crd"), "score"] == 1  # the lowest is the best
    assert (
        found.xs("mip", level="metric")["score"] == 0
    ).all()  # equal ones are told apart by nothing


def test_the_page_and_the_numbers_behind_it(written):
    page = (written / "pooled.md").read_text()
    assert page.startswith("# c / all tasks\n") and "| MI_EPO | 1.00 [" in page
    assert "MI_EPO is better than one of MO_ODPO on the same task" in page
    assert "HV 0.75, MIP 0.75, CRD 0.25." in page
    assert set(json.loads((written / "pooled.json").read_text())["tasks"]) == set(RUNS)


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end():
    assert interquartile_mean([100, 1, 2, 3, -100, 4, 5, 6]) == 3.5
    assert interquartile_mean([1, 2, 6]) == 3
    with pytest.raises(ValueError, match="no values"):
        interquartile_mean([])
