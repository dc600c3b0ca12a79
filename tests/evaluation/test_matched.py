"""Hypervolume at matched KL, worked out by hand."""

import numpy as np
import pytest

from moa.evaluation.matched import match, moved_back

ORIGIN = np.zeros(2)


def run(method, kl, corner):
    """One vector's point, of a run whose hypervolume is that of a rectangle."""
    seeds = {str(s): {"kl": k, "points": [corner]} for s, k in enumerate(kl)}
    return {"method": method, "hv": {}, "seeds": seeds}


RUNS = {
    "sft": run("sft", [0.0, 0.0], [1.0, 1.0]),
    "mo_odpo": run("mo_odpo", [1.0, 1.0], [3.0, 3.0]),
    "mi_epo": run("mi_epo", [4.0, 1.0], [5.0, 5.0]),
    "near": run("mo_odpo", [0.5, 0.5], [2.0, 2.0]),
}


def test_by_hand():
    """From 1 to 5 at 4 nats: at 1 nat, half of the way, 3."""
    found = match(RUNS, "sft", ["mi_epo", "mo_odpo"], ORIGIN)
    assert found["kl"]["mean"] == 1.0
    assert found["hv"]["mo_odpo"]["mean"] == pytest.approx(9.0)
    assert found["hv"]["mi_epo"]["mean"] == pytest.approx((9 + 25) / 2)
    assert found["difference"]["mean"] == pytest.approx(8.0)


def test_nothing_is_extrapolated():
    found = match(RUNS, "sft", ["mi_epo", "mo_odpo"], ORIGIN)
    assert found["hv"]["near"] is None and found["hv"]["sft"] is None


def test_a_run_whose_kl_nothing_tells_is_left_out_and_changes_no_other():
    given = {**RUNS, "given": run("external", [None, None], [9.0, 9.0])}
    found, without = (match(r, "sft", ["mi_epo", "mo_odpo"], ORIGIN) for r in (given, RUNS))
    assert found["hv"].pop("given") is None and found == without


@pytest.mark.parametrize("left_out", ["sft", "mi_epo"])
def test_without_sft_or_one_of_the_two_nothing_is_matched(left_out):
    runs = {name: run for name, run in RUNS.items() if name != left_out}
    assert match(runs, "sft", ["mi_epo", "mo_odpo"], ORIGIN) is None
    assert match(RUNS, "sft", ["mo_odpo"], ORIGIN) is None
    assert match(RUNS, None, ["mi_epo", "mo_odpo"], ORIGIN) is None


def test_a_policy_that_is_tilted_has_moved_so():
    """Rewards of a tilted distribution near its start go with the square root of KL."""
    reward = np.array([0.0, 1.0, 2.0])
    start = np.full(3, 1 / 3)

    def tilted(t):
        weights = start * np.exp(t * reward)
        p = weights / weights.sum()
        return float(p @ reward), float(p @ np.log(p / start))

    (far, kl), (near, less) = tilted(0.2), tilted(0.1)
    there = moved_back([[start @ reward]], [[far]], kl, less)
    assert there[0, 0] == pytest.approx(near, rel=1e-3)
