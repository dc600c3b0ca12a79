"""From scores to metrics to tables, on made-up scores whose answer is known."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

from moa.evaluation import response_health, reward_table, summarise_run, warnings
from moa.preferences import evaluation_vectors
from moa.tables import summary_frame, summary_latex, summary_markdown

OBJECTIVES = ["helpfulness", "harmlessness"]
VECTORS = evaluation_vectors(2)
SETTINGS = {"reference": -1, "reference_sensitivity": [0, -1], "bootstrap_resamples": 200}
PROMPTS = 40


def scores(steer, seed=0, response=None):
    """Scores of a policy whose mean reward is steer * w, with noise per prompt."""
    rng = np.random.default_rng(seed)
    rows = []
    for v, w in enumerate(VECTORS):
        for p in range(PROMPTS):
            reward = steer * w + rng.normal(0, 0.1, 2)
            rows.append([v, p, response or f"text {v} {p}", 3, True, *reward])
    columns = ["vector", "prompt_id", "response", "tokens", "finished"]
    return pd.DataFrame(rows, columns=columns + [f"norm_{o}" for o in OBJECTIVES])


def summarise(steer, seeds=(0, 1), **changes):
    frames = {s: scores(steer, s, **changes) for s in seeds}
    return summarise_run(
        {s: reward_table(f, OBJECTIVES) for s, f in frames.items()},
        {s: np.zeros((2, 11, 11)) for s in seeds},
        pd.concat(frames.values()),
        VECTORS,
        OBJECTIVES,
        SETTINGS,
        0,
    )


def test_the_table_is_vectors_by_prompts_whatever_the_order_of_rows():
    frame = scores(1.0)
    table = reward_table(frame.sample(frac=1, random_state=0), OBJECTIVES)
    assert table.shape == (11, PROMPTS, 2)
    first = frame.query("vector == 3 and prompt_id == 7")[["norm_helpfulness", "norm_harmlessness"]]
    np.testing.assert_array_equal(table[3, 7], first.to_numpy()[0])
    with pytest.raises(ValueError, match="some are missing"):
        reward_table(frame.iloc[1:], OBJECTIVES)


def test_a_steered_policy_has_the_metrics_it_must_have():
    run = summarise(2.0)
    expected = float((2.0 * VECTORS**2).sum(axis=1).mean())
    assert run["mip"]["mean"] == pytest.approx(expected, abs=0.02)
    assert run["mip"]["low"] < expected < run["mip"]["high"]
    assert run["crd"]["mean"] == pytest.approx(0.1**4, rel=0.3)
    assert all(c["mean"] > 0.99 for c in run["control"].values())
    assert run["decodability"]["mean"] == 0.0
    assert set(run["seeds"]) == {"0", "1"} and run["mip"]["seed_std"] > 0
    assert run["seeds"]["0"]["hv_by_reference"]["-1"] == run["seeds"]["0"]["hv"]
    low, high = np.array(run["points_low"]), np.array(run["points_high"])
    assert (low <= np.array(run["points"])).all() and (np.array(run["points"]) <= high).all()
    assert run["warnings"] == []
    json.dumps(run, allow_nan=False)


def test_one_seed_has_no_spread_over_seeds():
    assert summarise(2.0, seeds=(0,))["hv"]["seed_std"] is None


def test_no_control_and_collapse_are_marked():
    assert "w has no visible effect" in " ".join(summarise(0.0)["warnings"])
    assert "identical" in " ".join(summarise(2.0, response="same")["warnings"])
    empty = scores(2.0)
    empty.loc[empty.index % 3 > 0, "response"] = ""
    health = response_health(empty)
    assert health["empty"] == pytest.approx(2 / 3, abs=0.01)
    found = warnings({"health": health, "control": {"a": {"mean": 1.0}}})
    assert found == ["collapsed: 67% of the responses are empty"]


@pytest.fixture(scope="module")
def metrics():
    def named(run, method):
        return {"method": method, "label": method.upper(), **run}

    return {
        "config": "c",
        "task": "safety",
        "objectives": OBJECTIVES,
        "vectors": VECTORS.tolist(),
        "prompts": PROMPTS,
        "reference": [-1, -1],
        "sft_response": "chosen",
        "oracle_reports": {
            "helpfulness": {
                "heldout": {
                    "human": {"auc": 0.7, "n_labels": 10},
                    "pairs": {"pair_accuracy": 0.5, "n_pairs": 4},
                }
            }
        },
        "runs": {
            "mi_epo": named(summarise(2.0), "mi_epo"),
            "weak": named(summarise(0.0), "mi_epo"),
        },
        "optimum": {"hv": 10.0, "mip": 2.0, "points": [], "front": []},
    }


def test_tables_say_the_same_in_csv_markdown_and_latex(metrics):
    paper = {"mi_epo": {"hv": 2.7, "mip": 1.01, "crd": 0.29}}
    frame = summary_frame(metrics, paper)
    row = next(csv.DictReader(io.StringIO(frame.to_csv(index=False))))
    hv = metrics["runs"]["mi_epo"]["hv"]
    assert float(row["hv"]) == hv["mean"] and float(row["hv_low"]) == hv["low"]
    assert float(row["hv_percent_of_optimum"]) == pytest.approx(10 * hv["mean"])
    cell = f"{hv['mean']:.2f} [{hv['low']:.2f}, {hv['high']:.2f}] ± {hv['seed_std']:.2f}"
    markdown, latex = summary_markdown(metrics, paper), summary_latex(metrics, paper)
    assert cell in markdown and cell.replace("±", r"$\pm$") in latex
    assert "| MI_EPO (!) |" in markdown and "(!) MI_EPO: w has no visible effect" in markdown
    assert "human AUC 0.700 (n = 10); pairs pair accuracy 0.500 (n = 4)" in markdown
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    body = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len({line.count(" & ") for line in body}) == 1


def test_only_a_methods_plain_run_stands_beside_the_papers_number(metrics):
    frame = summary_frame(metrics, {"mi_epo": {"hv": 2.7}}).set_index("run")
    assert frame.loc["mi_epo", "hv_paper"] == 2.7
    assert pd.isna(frame.loc["weak", "hv_paper"])
