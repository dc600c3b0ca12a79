"""From scores to metrics, on made-up scores whose answer is known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from moa.evaluation.evaluate import evaluate, reward_table
from moa.evaluation.runs import MEASURED, RunScores, response_health, unmoved_objectives, warnings
from moa.evaluation.settings import MetricsSettings
from moa.metrics import hypervolume
from moa.preferences import evaluation_vectors

OBJECTIVES = ["helpfulness", "harmlessness", "humor"]
SETTINGS = MetricsSettings(reference=-1, reference_sensitivity=(0, -1), bootstrap_resamples=200)
PROMPTS = 40


def scores(steer, seed=0, response=None, vectors=None, shift=0.0, k=2):
    """Scores of a policy whose mean reward is steer * w + shift, with noise per prompt."""
    rng = np.random.default_rng(seed)
    rows = []
    for v, w in enumerate(evaluation_vectors(k) if vectors is None else vectors):
        for p in range(PROMPTS):
            reward = steer * w + shift + rng.normal(0, 0.1, k)
            rows.append([v, p, response or f"text {v} {p}", 3, True, *reward])
    columns = ["vector", "prompt_id", "response", "tokens", "finished"]
    return pd.DataFrame(rows, columns=columns + [f"norm_{o}" for o in OBJECTIVES[:k]])


def run_scores(name, steer, seeds=(0, 1), method="mi_epo", vectors=None, k=2, **changes):
    frames = {s: scores(steer, s, vectors=vectors, k=k, **changes) for s in seeds}
    vectors = evaluation_vectors(k) if vectors is None else vectors
    m = len(vectors)
    return RunScores(
        name,
        f"label of {name}",
        method,
        method != "rlhf",
        0.01 if method == "mi_epo" else None,
        {},
        None,
        np.asarray(vectors),
        {s: reward_table(f, OBJECTIVES[:k]) for s, f in frames.items()},
        {} if method == "rlhf" else {s: np.stack([np.eye(m)] * 2) for s in seeds},
        {} if method == "rlhf" else {s: np.full((2, m, 2), [-3.0, 8.0]) for s in seeds},
        pd.concat(frames.values()),
    )


def results(*runs, k=2, seed=0):
    return evaluate(runs, OBJECTIVES[:k], SETTINGS, seed, ["mi_epo", "mo_odpo"])


def test_the_table_is_vectors_by_prompts_whatever_the_order_of_rows():
    frame = scores(1.0)
    table = reward_table(frame.sample(frac=1, random_state=0), OBJECTIVES[:2])
    assert table.shape == (11, PROMPTS, 2)
    first = frame.query("vector == 3 and prompt_id == 7")[["norm_helpfulness", "norm_harmlessness"]]
    np.testing.assert_array_equal(table[3, 7], first.to_numpy()[0])
    with pytest.raises(ValueError, match="some are missing"):
        reward_table(frame.iloc[1:], OBJECTIVES[:2])


@pytest.mark.parametrize("k", [2, 3])
def test_a_steered_policy_has_the_metrics_it_must_have(k):
    run = results(run_scores("mi_epo", 2.0, k=k), k=k)["runs"]["mi_epo"]
    vectors = evaluation_vectors(k)
    assert (run["method"], run["label"], run["beta_w"]) == ("mi_epo", "label of mi_epo", 0.01)
    assert run["vectors"] == vectors.tolist()
    expected = float((2.0 * vectors**2).sum(axis=1).mean())
    assert run["mip"]["mean"] == pytest.approx(expected, abs=0.02)
    assert run["mip"]["low"] < expected < run["mip"]["high"]
    assert run["hv"]["mean"] == pytest.approx(
        hypervolume(2.0 * vectors, np.full(k, -1.0)), rel=0.03
    )
    assert run["crd"]["mean"] == pytest.approx(0.1 ** (2 * k), rel=0.3)
    assert 0 < run["crd"]["low"] < run["crd"]["high"] < 2 * 0.1 ** (2 * k)
    assert all(c["mean"] > 0.9 for c in run["control"].values())
    own = 1 - np.log(
        (np.e + len(vectors) - 1) / len(vectors)
    )  # of likelihoods that are the identity
    assert run["decodability"]["mean"] == pytest.approx(own)
    assert run["decodability"]["seed_std"] == pytest.approx(0)
    assert (run["kl"]["mean"], run["kl_per_token"]["mean"]) == (4.0, 0.5)  # 1 - -3, of 8 tokens
    assert set(run["seeds"]) == {"0", "1"} and run["mip"]["seed_std"] > 0
    low, high = np.array(run["points_low"]), np.array(run["points_high"])
    assert (low <= np.array(run["points"])).all() and (np.array(run["points"]) <= high).all()
    assert high - low == pytest.approx(2 * 1.96 * 0.1 / np.sqrt(2 * PROMPTS), rel=0.5)
    assert run["warnings"] == []
    json.dumps(run, allow_nan=False)


def test_the_mean_is_over_seeds_and_one_seed_has_no_spread():
    run = results(run_scores("mi_epo", 2.0, seeds=(10, 2)))["runs"]["mi_epo"]
    seeds = run["seeds"]
    assert list(seeds) == ["2", "10"]
    only = results(run_scores("mi_epo", 2.0, seeds=(10,)))["runs"]["mi_epo"]
    for key in ("hv", "mip", "crd"):
        assert seeds["10"][key] == only[key]["mean"]
        values = [seeds["2"][key], seeds["10"][key]]
        assert run[key]["mean"] == pytest.approx(np.mean(values))
        assert run[key]["seed_std"] == pytest.approx(np.std(values, ddof=1))
    points = [seeds["2"]["points"], seeds["10"]["points"]]
    np.testing.assert_allclose(run["points"], np.mean(points, axis=0))
    assert results(run_scores("a", 2.0, seeds=(0,)))["runs"]["a"]["hv"]["seed_std"] is None


def test_the_references_and_the_hypervolume_above_each():
    out = results(run_scores("mi_epo", 2.0), run_scores("weak", 0.5, shift=-0.2))
    assert [r["name"] for r in out["references"]] == ["0", "-1", "nadir - 10 %"]
    assert [r["point"] for r in out["references"][:2]] == [[0.0, 0.0], [-1.0, -1.0]]
    points = np.concatenate([out["runs"][n]["points"] for n in ("mi_epo", "weak")])
    nadir = points.min(axis=0) - 0.1 * (points.max(axis=0) - points.min(axis=0))
    np.testing.assert_allclose(out["references"][2]["point"], nadir)
    for run in out["runs"].values():
        assert run["hv_by_reference"]["-1"] == run["hv"]
        for seed in run["seeds"].values():
            assert seed["hv"] == hypervolume(seed["points"], [-1, -1])
        values = [hypervolume(seed["points"], nadir) for seed in run["seeds"].values()]
        hv = run["hv_by_reference"]["nadir - 10 %"]
        assert hv["mean"] == pytest.approx(np.mean(values))
        assert hv["seed_std"] == pytest.approx(np.std(values, ddof=1))
        assert hv["low"] < hv["high"]


def test_experts_have_points_and_no_metrics():
    experts = run_scores("rlhf", 3.0, method="rlhf", vectors=np.eye(2), shift=-4.0)
    out = results(run_scores("sft", 1.0, method="sft"), experts, run_scores("mi_epo", 2.0))
    run = out["runs"]["rlhf"]
    nulls = (*MEASURED, "control")
    assert all(run[key] is None for key in (*nulls, "hv_by_reference", "beta_w"))
    assert all(seed[key] is None for seed in run["seeds"].values() for key in nulls)
    assert run["vectors"] == [[1.0, 0.0], [0.0, 1.0]]
    np.testing.assert_allclose(run["points"], [[-1.0, -4.0], [-4.0, -1.0]], atol=0.05)
    assert np.shape(run["points_low"]) == np.shape(run["points_high"]) == (2, 2)
    assert run["warnings"] == [] and run["health"]["finished"] == 1.0
    assert [(c["run"], c["against"]) for c in out["comparisons"]] == [("mi_epo", "sft")]
    # Their points are points of the task like any other, so the nadir counts them.
    assert max(out["references"][-1]["point"]) < -4.0
    json.dumps(out, allow_nan=False)


def test_of_responses_without_a_policy_what_only_it_tells_is_none():
    whole = run_scores("mi_epo", 2.0)
    told = whole.responses.assign(tokens=pd.NA, finished=pd.NA)
    given = replace(whole, name="given", likelihoods={}, references={}, responses=told)
    out = results(whole, given)
    run, same = out["runs"]["given"], out["runs"]["mi_epo"]
    unknown = ("decodability", "kl", "kl_per_token")
    assert all(run[key] is None for key in unknown) and run["warnings"] == []
    assert all(seed[key] is None for seed in run["seeds"].values() for key in unknown)
    assert run["health"]["finished"] is run["health"]["tokens"] is None
    for key in ("hv", "mip", "crd", "control", "points_low", "spread"):
        assert run[key] == same[key]
    assert [(c["run"], c["against"]) for c in out["comparisons"]] == [("mi_epo", "given")]
    json.dumps(out, allow_nan=False)


def test_comparisons_are_paired_over_prompts_and_seeds():
    base = run_scores("mo_odpo", 1.0, method="mo_odpo")
    shifted = {s: table + 0.5 for s, table in base.rewards.items()}
    run = replace(base, name="mi_epo", method="mi_epo", beta_w=0.01, rewards=shifted)
    twin = replace(base, name="twin")
    out = results(base, run, twin)
    pairs = {(c["run"], c["against"]): c for c in out["comparisons"]}
    assert list(pairs) == [("mi_epo", "mo_odpo"), ("mi_epo", "twin"), ("mo_odpo", "twin")]
    for key in ("hv", "mip", "crd"):
        same = pairs["mo_odpo", "twin"][key]
        assert (same["difference"], same["low"], same["high"], same["seed_std"]) == (0, 0, 0, 0)
        assert (same["seeds_above"], same["seeds"]) == (0, 2)
    mip = pairs["mi_epo", "mo_odpo"]["mip"]  # every vector sums to 1, so MIP rises by the shift
    for key in ("difference", "low", "high"):
        assert mip[key] == pytest.approx(0.5, abs=1e-12)
    assert mip["seed_std"] == pytest.approx(0.0, abs=1e-12) and mip["seeds_above"] == 2
    hv = pairs["mi_epo", "mo_odpo"]["hv"]
    means = [out["runs"][n]["hv"]["mean"] for n in ("mi_epo", "mo_odpo")]
    assert hv["difference"] == pytest.approx(means[0] - means[1])
    assert 0 < hv["low"] < hv["difference"] < hv["high"]


def test_a_runs_own_numbers_depend_on_no_other_run_and_on_no_order():
    runs = [run_scores("a", 1.0), run_scores("b", 2.0, shift=0.3), run_scores("c", 1.5)]
    forward, backward = results(*runs), results(*runs[::-1])
    assert forward["runs"] == backward["runs"] and forward["references"] == backward["references"]
    assert forward == results(*runs)
    alone = results(runs[1])["runs"]["b"]
    assert all(
        alone[key] == forward["runs"]["b"][key] for key in ("hv", "mip", "crd", "points_low")
    )
    other = results(*runs, seed=1)["runs"]["b"]
    assert other["hv"]["mean"] == alone["hv"]["mean"] and other["hv"]["low"] != alone["hv"]["low"]


def test_runs_over_different_prompts_are_refused():
    other = run_scores("other", 1.0)
    shifted = other.responses.assign(prompt_id=other.responses["prompt_id"] + 1)
    moved = replace(other, responses=shifted)
    with pytest.raises(ValueError, match=r"other, seed 0.*same data"):
        results(run_scores("mi_epo", 1.0), moved)


def test_runs_over_different_seeds_are_refused():
    with pytest.raises(ValueError, match=r"other: seeds \[0, 2\].*\[0, 1\]"):
        results(run_scores("mi_epo", 1.0), run_scores("other", 1.0, seeds=(0, 2)))


def test_scores_that_miss_a_vector_are_refused():
    run = run_scores("mi_epo", 1.0, vectors=evaluation_vectors(2)[:10])
    short = replace(run, vectors=evaluation_vectors(2))
    with pytest.raises(ValueError, match=r"scores \(10, 40, 2\).*\(11, 40, 2\)"):
        results(short)


def test_no_control_and_collapse_are_marked():
    def found(*args, **changes):
        return " ".join(results(run_scores("a", *args, **changes))["runs"]["a"]["warnings"])

    assert "w has no visible effect" in found(0.0)
    assert "identical" in found(2.0, response="same")
    assert "identical" in found(2.0, response="same", method="rlhf")
    empty = scores(2.0)
    empty.loc[empty.index % 3 > 0, "response"] = ""
    health = response_health(empty)
    assert health["empty"] == pytest.approx(2 / 3, abs=0.01)
    expected = ["collapsed: 67% of the responses are empty"]
    assert warnings(health, []) == expected


def test_an_effect_is_seen_where_the_intervals_of_the_end_points_are_apart():
    vectors = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    low = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    assert unmoved_objectives(vectors, low, low + 0.9, OBJECTIVES[:2]) == []
    assert unmoved_objectives(vectors, low, low + 1.1, OBJECTIVES[:2]) == [*OBJECTIVES[:2]]
    # Far apart the wrong way round is no effect that was asked for.
    assert unmoved_objectives(1 - vectors, low, low + 0.1, OBJECTIVES[:2]) == [*OBJECTIVES[:2]]
    one_moves = np.column_stack([low[:, 0], np.zeros(3)])
    assert unmoved_objectives(vectors, one_moves, one_moves + 0.1, OBJECTIVES[:2]) == [
        "harmlessness"
    ]


def test_a_policy_that_is_the_same_under_every_w_is_marked():
    """Soups of equal experts, say; its points differ all the same, by their random numbers."""
    run = run_scores("a", 2.0)
    unmoved = {s: table * 1e-5 for s, table in run.likelihoods.items()}
    (found,) = results(replace(run, likelihoods=unmoved))["runs"]["a"]["warnings"]
    assert found.startswith("one and the same policy under every w")
    assert results(run)["runs"]["a"]["warnings"] == []


def test_a_collapsed_run_has_finite_metrics_and_a_warning():
    """One response everywhere: no spread, no effect of w."""
    run = run_scores("gone", 0.0, response="same")
    constant = {s: np.full_like(table, 0.5) for s, table in run.rewards.items()}
    gone = replace(run, beta_w=0.1, rewards=constant)
    out = results(gone, run_scores("mi_epo", 2.0))
    summary = out["runs"]["gone"]
    assert summary["crd"] == {"mean": 0.0, "seed_std": 0.0, "low": 0.0, "high": 0.0}
    assert summary["hv"]["low"] == summary["hv"]["high"] == pytest.approx(1.5**2)
    assert [c["mean"] for c in summary["control"].values()] == [0.0, 0.0]
    assert [w.split(":")[0] for w in summary["warnings"]] == [
        "collapsed",
        "w has no visible effect on helpfulness, harmlessness",
    ]
    json.dumps(out, allow_nan=False)
