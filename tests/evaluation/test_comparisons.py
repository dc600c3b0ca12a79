"""Differences of runs are paired over prompts and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from moa.evaluation.bootstrap import prompt_counts
from moa.evaluation.comparisons import difference, ordered_pairs, reference_points
from support.samples import mean_of, rng


def test_a_run_minus_itself_is_exactly_zero():
    counts = prompt_counts(30, 200, seed=0)
    run = mean_of(rng(26).normal(size=(3, 30)), counts)
    got = difference(run, run)
    over_seeds = got.pop("over_seeds")
    assert {over_seeds[key] for key in ("mean", "low", "high", "detectable")} == {0.0}
    assert got == {
        "difference": 0.0,
        "low": 0.0,
        "high": 0.0,
        "seed_std": 0.0,
        "seeds_above": 0,
        "seeds": 3,
    }


def test_a_constant_shift_is_the_difference_and_has_no_width():
    """Multiples of 1/64 add without rounding, so the equality is exact."""
    values = np.round(rng(27).normal(size=(3, 32)) * 64) / 64
    counts = prompt_counts(32, 200, seed=0)
    got = difference(mean_of(values + 0.25, counts), mean_of(values, counts))
    assert (got["difference"], got["low"], got["high"], got["seed_std"]) == (0.25, 0.25, 0.25, 0.0)
    assert got["seeds_above"] == got["seeds"] == 3
    back = difference(mean_of(values, counts), mean_of(values + 0.25, counts))
    assert back["difference"] == -0.25 and back["seeds_above"] == 0


def test_pairing_narrows_the_interval_where_prompts_are_hard_for_all():
    hard = 5 * rng(28).normal(size=100)
    a, b = (hard + rng(seed).normal(size=100) for seed in (29, 30))
    counts, others = prompt_counts(100, 500, seed=0), prompt_counts(100, 500, seed=1)
    paired = difference(mean_of(a[None], counts), mean_of(b[None], counts))
    unpaired = difference(mean_of(a[None], counts), mean_of(b[None], others))
    assert paired["difference"] == unpaired["difference"]
    assert paired["high"] - paired["low"] < 0.4 * (unpaired["high"] - unpaired["low"])
    error = (a - b).std() / np.sqrt(100)
    assert paired["high"] - paired["low"] == pytest.approx(2 * 1.960 * error, rel=0.15)


def test_seeds_are_paired_too():
    """Seeds differ by 10 in level, their differences are 1, 2 and -1."""
    level, counts = np.array([[0.0], [10.0], [20.0]]), prompt_counts(4, 20, seed=0)
    level, gain = np.repeat(level, 4, axis=1), np.array([[1.0], [2.0], [-1.0]])
    got = difference(mean_of(level + gain, counts), mean_of(level, counts))
    assert got["difference"] == pytest.approx(2 / 3)
    assert got["seed_std"] == pytest.approx(np.std([1, 2, -1], ddof=1))
    assert (got["seeds_above"], got["seeds"]) == (2, 3)


def test_a_difference_needs_the_same_seeds_and_draws():
    counts = prompt_counts(6, 20, seed=0)
    run = mean_of(np.ones((3, 6)), counts)
    for other in (mean_of(np.ones((2, 6)), counts), mean_of(np.ones((3, 6)), counts[:10])):
        with pytest.raises(ValueError, match="same draws and the same seeds"):
            run - other


def test_reference_points_by_hand():
    points = np.array([[0.0, 1.0], [2.0, 5.0], [1.0, -5.0]])
    got = reference_points(-1, [0, -0.5, -1], points)
    assert list(got) == ["0", "-0.5", "-1", "nadir - 10 %"]
    np.testing.assert_array_equal(got["-0.5"], [-0.5, -0.5])
    np.testing.assert_allclose(got["nadir - 10 %"], [-0.2, -6.0])
    assert list(reference_points(-1, [0], points)) == ["-1", "0", "nadir - 10 %"]


def test_every_pair_once_and_some_first():
    names = ["sft", "ric", "mo_odpo", "mi_epo", "mi_epo_strong"]
    assert ordered_pairs(names, ["mi_epo", "mo_odpo", "absent"]) == [
        *[("mi_epo", name) for name in ("mo_odpo", "sft", "ric", "mi_epo_strong")],
        *[("mo_odpo", name) for name in ("sft", "ric", "mi_epo_strong")],
        *[("sft", "ric"), ("sft", "mi_epo_strong"), ("ric", "mi_epo_strong")],
    ]
    assert ordered_pairs(["sft"]) == []
