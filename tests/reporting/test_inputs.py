"""What figures read: roles become runs, seeds and parts, and raw rewards become normalised ones."""

import json

import pandas as pd
import pytest

from moa.reporting.inputs import read_curves, read_explored, read_scores

METRICS = {
    "objectives": ["helpfulness", "harmlessness"],
    "normalisation": {"mean": [1.0, 0.0], "std": [2.0, 0.5]},
    "runs": {
        "mi_epo": {"method": "mi_epo"},
        "ric": {"method": "ric"},
        "rlhf": {"method": "rlhf"},
    },
}


def entry(tmp_path, name, lines):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_curves_of_all_kinds_of_training(tmp_path):
    online = [{"step": 5, "loss": 1.0, "raw_helpfulness": 3.0, "raw_harmlessness": 0.5}]
    online += [{"step": 10, "loss": 0.5, "raw_helpfulness": 5.0, "raw_harmlessness": 0.0}]
    expert = [{"step": 4, "raw_helpfulness": 2.0}]
    rounds = [{"part": "offline", "step": 8, "loss": 2.0}, {"part": "round1", "step": 3}]
    rounds += [{"part": "round1", "raw_helpfulness": 1.0, "raw_harmlessness": 1.0}]
    inputs = {
        "trained/mi_epo/0": entry(tmp_path, "a", online),
        "trained/rlhf/0/helpfulness": entry(tmp_path, "b", expert),
        "trained/ric/1": entry(tmp_path, "c", rounds),
        "metrics": tmp_path,
    }
    curves = read_curves(inputs, METRICS)
    assert set(curves["run"]) == {"mi_epo", "rlhf", "ric"}
    mi_epo = curves[curves["run"] == "mi_epo"]
    assert mi_epo["progress"].tolist() == [0.5, 1.0]
    assert mi_epo["norm_helpfulness"].tolist() == [1.0, 2.0]
    assert mi_epo["norm_harmlessness"].tolist() == [1.0, 0.0]
    rlhf = curves[curves["run"] == "rlhf"].iloc[0]
    assert (rlhf["part"], rlhf["seed"], rlhf["norm_helpfulness"]) == ("helpfulness", 0, 0.5)
    assert pd.isna(rlhf["norm_harmlessness"])
    ric = curves[curves["run"] == "ric"]
    assert ric["part"].tolist() == ["offline", "round1", "round1"]
    assert ric["norm_harmlessness"].dropna().tolist() == [2.0]
    assert (ric["seed"] == 1).all() and ric["progress"].between(0, 1).all()
    assert not [name for name in curves.columns if name.startswith("raw_")]


def test_scores_and_samples_name_their_run(tmp_path):
    scores = pd.DataFrame(
        {"prompt": ["x"], "response": ["y"], "seed": [2], "norm_helpfulness": 1.0}
    )
    samples = pd.DataFrame({"step": [0], "raw_helpfulness": [3.0], "raw_harmlessness": [1.0]})
    scores.to_parquet(tmp_path / "scores.parquet")
    samples.to_parquet(tmp_path / "explored.parquet")
    found = read_scores({"score/mi_epo/2": tmp_path}, METRICS)
    assert found["run"].tolist() == ["mi_epo"] and "response" not in found
    (row,) = read_explored({"trained/mi_epo/2": tmp_path}, METRICS).to_dict("records")
    assert (row["run"], row["seed"]) == ("mi_epo", 2)
    assert row["norm_helpfulness"] == pytest.approx(1.0) and "raw_helpfulness" not in row
