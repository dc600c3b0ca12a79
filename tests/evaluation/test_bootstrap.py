"""Resampled prompts: what is computed of all at once is what each draw gives by itself."""

from __future__ import annotations

import numpy as np
import pytest

from moa.evaluation.bootstrap import (
    TAILS,
    Statistic,
    hypervolumes,
    over_seeds,
    prompt_counts,
    resampled_dispersion,
    resampled_points,
)
from moa.metrics import conditional_reward_dispersion, hypervolume
from support.samples import mean_of, rng


def tables(m=4, p=25, k=3, seed=16, mean=3.0):
    return rng(seed).normal(mean, 0.7, size=(m, p, k))


def drawn(table, row):
    """The resample that a row of counts stands for, written out."""
    return np.repeat(table, row.astype(int), axis=1)


def test_a_resample_draws_prompts_with_replacement():
    counts = prompt_counts(12, 400, seed=3)
    assert counts.shape == (400, 12)
    np.testing.assert_array_equal(counts.sum(axis=1), 12)
    np.testing.assert_array_equal(counts, counts.astype(int))
    assert (counts.max(axis=1) > 1).all()  # 12! / 12^12: a draw without a repetition is rare
    # Every prompt is drawn once on average, with the variance of a binomial.
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=0.2)
    assert counts.var() == pytest.approx(1 - 1 / 12, abs=0.05)


def test_resamples_follow_their_seed():
    np.testing.assert_array_equal(prompt_counts(9, 20, seed=1), prompt_counts(9, 20, seed=1))
    assert (prompt_counts(9, 20, seed=1) != prompt_counts(9, 20, seed=2)).any()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_resampled_points_and_dispersion_are_those_of_the_drawn_prompts(k):
    table = tables(k=k, mean=1e5)  # far from the origin, where moments cancel
    counts = prompt_counts(25, 15, seed=4)
    points, dispersion = resampled_points(table, counts), resampled_dispersion(table, counts)
    assert points.shape == (15, 4, k) and dispersion.shape == (15,)
    for r, row in enumerate(counts):
        sample = drawn(table, row)
        assert sample.shape == table.shape
        np.testing.assert_allclose(points[r], sample.mean(axis=1), rtol=1e-12)
        assert dispersion[r] == pytest.approx(conditional_reward_dispersion(sample), rel=1e-8)


def test_every_prompt_once_is_the_observed_sample():
    table, once = tables(), np.ones((1, 25))
    np.testing.assert_allclose(resampled_points(table, once)[0], table.mean(axis=1), rtol=1e-13)
    expected = conditional_reward_dispersion(table)
    assert resampled_dispersion(table, once)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_resampled_dispersion_needs_more_prompts_than_rewards(k):
    assert resampled_dispersion(tables(p=k + 1, k=k), np.ones((5, k + 1))).min() > 0
    with pytest.raises(ValueError, match=rf"CRD of {k} rewards needs {k + 1} prompts"):
        resampled_dispersion(tables(p=k, k=k), np.ones((5, k)))


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("grid", [0.0, 0.5])  # a grid makes ties and points on the reference
def test_many_hypervolumes_are_pymoos_one_by_one(k, grid):
    fronts = rng(23).normal(size=(300, 13, k))
    fronts = np.round(fronts / grid) * grid if grid else fronts
    fronts[0], fronts[1] = -5.0, -1.0  # below the reference, and on it
    reference = np.array([-1.0, -0.5, 0.0])[:k]
    got = hypervolumes(fronts, reference)
    expected = [hypervolume(front, reference) for front in fronts]
    assert got.shape == (300,) and got[0] == got[1] == 0
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_many_hypervolumes_leave_their_arguments_alone():
    fronts = rng(24).normal(size=(5, 4, 2))
    before = fronts.copy()
    hypervolumes(fronts, np.array([-1.0, -1.0]))
    np.testing.assert_array_equal(fronts, before)


def test_the_interval_of_a_mean_is_the_normal_one():
    values = rng(20).normal(3.0, 2.0, size=(1, 500))
    got = mean_of(values, prompt_counts(500, 4000, seed=0)).summary()
    error = values.std() / np.sqrt(500)
    assert got["mean"] == pytest.approx(values.mean())
    assert got["low"] == pytest.approx(values.mean() - 1.960 * error, abs=0.15 * error)
    assert got["high"] == pytest.approx(values.mean() + 1.960 * error, abs=0.15 * error)
    assert got["seed_std"] is None
    assert all(isinstance(got[key], float) for key in ("mean", "low", "high"))


def test_the_interval_is_of_the_mean_over_seeds_which_answered_the_same_prompts():
    """What a prompt adds to every seed stays; what it adds to one and takes from another cancels."""
    counts, effect = prompt_counts(40, 500, seed=0), rng(25).normal(size=40)
    common = mean_of(np.stack([effect, effect + 1.0]), counts).summary()
    opposed = mean_of(np.stack([effect, 1.0 - effect]), counts).summary()
    assert common["high"] - common["low"] > 0.3
    assert opposed["low"] == pytest.approx(0.5) and opposed["high"] == pytest.approx(0.5)
    assert common["seed_std"] == pytest.approx(np.sqrt(0.5))


def test_spread_over_seeds_by_hand():
    assert over_seeds([1.0, 2.0, 6.0]) == {
        "mean": 3.0,
        "seed_std": pytest.approx(np.sqrt(7.0)),
        "low": None,
        "high": None,
    }
    assert over_seeds([4.0])["seed_std"] is None


def test_an_interval_lies_around_its_own_estimate_where_points_overlap():
    """HV of equal vectors is a maximum of noise: prompts drawn again raise it beside the estimate."""
    rewards = np.random.default_rng(3).normal(0, 1, (11, 40, 2))
    counts = prompt_counts(40, 500, 0)
    resampled = hypervolumes(resampled_points(rewards, counts), np.full(2, -1.0))
    observed = hypervolume(rewards.mean(axis=1), [-1, -1])
    assert resampled.mean() > observed + 0.1  # the bias that centring takes out
    summary = Statistic(np.array([observed]), resampled[:, None]).summary()
    assert summary["low"] < observed < summary["high"]
    assert summary["high"] - summary["low"] == pytest.approx(np.ptp(np.quantile(resampled, TAILS)))
