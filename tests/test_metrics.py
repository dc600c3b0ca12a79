"""Metrics against definitions that are slow but plainly right."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import spearmanr

from moa.evaluation.bootstrap import (
    TAILS,
    Statistic,
    hypervolumes,
    over_seeds,
    prompt_counts,
    resampled_dispersion,
    resampled_points,
)
from moa.evaluation.comparisons import difference, ordered_pairs, reference_points
from moa.metrics import (
    conditional_reward_dispersion,
    control,
    decodability,
    hypervolume,
    mean_inner_product,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def inclusion_exclusion(points: np.ndarray, reference: np.ndarray) -> float:
    """Volume of the union of the boxes [reference, point], over all subsets of points."""
    total = 0.0
    for size in range(1, len(points) + 1):
        for subset in combinations(points, size):
            edges = np.maximum(np.min(subset, axis=0) - reference, 0)
            total += (-1) ** (size + 1) * float(np.prod(edges))
    return total


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_hypervolume_of_random_points(n, k):
    points = rng(n + 10 * k).normal(size=(n, k))
    reference = np.full(k, -1.0)
    got = hypervolume(points, reference)
    assert isinstance(got, float)
    assert got == pytest.approx(inclusion_exclusion(points, reference), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_hypervolume_of_mutually_nondominated_points(k):
    """On a sphere no point dominates another, so every point adds volume."""
    points = np.abs(rng(k).normal(size=(8, k)))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    reference = np.linspace(-0.5, 0.0, k)
    expected = inclusion_exclusion(points, reference)
    assert hypervolume(points, reference) == pytest.approx(expected, rel=1e-9)
    without_last = hypervolume(points[:-1], reference)
    assert without_last < expected


def test_hypervolume_by_hand():
    assert hypervolume(np.array([[1.0, 2.0]]), np.array([-1.0, -1.0])) == pytest.approx(6.0)
    stairs = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])
    assert hypervolume(stairs, np.zeros(2)) == pytest.approx(6.0)


def test_hypervolume_of_a_long_two_dimensional_front():
    x = np.sort(rng(3).uniform(size=150))
    points = np.column_stack([x, 1 - x])[rng(4).permutation(150)]
    # Rectangles from left to right; the tallest point that reaches a strip gives its height.
    expected = float(np.sum(np.diff(np.concatenate([[0.0], x])) * (1 - x)))
    assert hypervolume(points, np.zeros(2)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_points_that_add_nothing_to_the_hypervolume(k):
    points = rng(k).uniform(0.2, 1, size=(6, k))
    reference = np.zeros(k)
    base = hypervolume(points, reference)
    dominated = points[:2] * 0.5
    worse_in_one = np.full((1, k), 5.0)
    worse_in_one[0, -1] = -0.1
    on_the_reference = np.full((1, k), 5.0)
    on_the_reference[0, 0] = 0.0
    for extra in (points[:3], dominated, worse_in_one, on_the_reference, -points):
        more = np.concatenate([extra, points])
        assert hypervolume(more, reference) == pytest.approx(base, rel=1e-12)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_hypervolume_is_zero_when_nothing_beats_the_reference(k):
    assert hypervolume(np.empty((0, k)), np.zeros(k)) == 0
    assert hypervolume(np.full((3, k), -1.0), np.zeros(k)) == 0
    assert hypervolume(np.zeros((1, k)), np.zeros(k)) == 0


def test_hypervolume_leaves_its_arguments_alone():
    points, reference = rng(5).normal(size=(4, 2)), np.array([-1.0, -1.0])
    before = points.copy(), reference.copy()
    hypervolume(points, reference)
    np.testing.assert_array_equal(points, before[0])
    np.testing.assert_array_equal(reference, before[1])


def test_hypervolume_refuses_a_reference_of_another_dimension():
    """Three points of two objectives must not be read as two points of three."""
    with pytest.raises(ValueError, match=r"points|reference"):
        hypervolume(np.zeros((3, 2)), np.zeros(3))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_mean_inner_product(k):
    weights, rewards = rng(6).dirichlet(np.ones(k), size=40), rng(7).normal(size=(40, k))
    expected = sum(float(np.dot(w, s)) for w, s in zip(weights, rewards, strict=True)) / 40
    got = mean_inner_product(weights, rewards)
    assert isinstance(got, float)
    assert got == pytest.approx(expected, rel=1e-12)


def test_mean_inner_product_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match="weights"):
        mean_inner_product(np.ones((1, 2)), np.ones((5, 2)))
    with pytest.raises(ValueError, match="weights"):
        mean_inner_product(np.ones((5, 1)), np.ones((5, 2)))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_conditional_reward_dispersion(k):
    mixing = rng(8).normal(size=(k, k))
    groups = [rng(9 + i).normal(size=(n, k)) @ mixing for i, n in enumerate((2, 5, 30, 7))]
    determinants = []
    for group in groups:
        centred = group - group.mean(axis=0)
        covariance = centred.T @ centred / (len(group) - 1)
        determinants.append(np.linalg.det(covariance))
    got = conditional_reward_dispersion(groups)
    assert isinstance(got, float)
    assert got == pytest.approx(np.mean(determinants), rel=1e-9, abs=1e-12)


def test_dispersion_of_one_objective_is_its_mean_variance():
    groups = [np.array([[1.0], [3.0]]), np.array([[0.0], [0.0], [3.0]])]
    assert conditional_reward_dispersion(groups) == pytest.approx((2.0 + 3.0) / 2)


def test_dispersion_weighs_conditions_alike_and_does_not_pool_them():
    """Two tight clouds far apart: pooled they would be wide."""
    cloud = 1e-3 * rng(10).normal(size=(50, 2))
    assert conditional_reward_dispersion([cloud, cloud + 100.0]) < 1e-10


@pytest.mark.parametrize("rows", [0, 1])
def test_dispersion_needs_two_rows_per_condition(rows):
    groups = [rng(11).normal(size=(5, 2)), np.ones((rows, 2))]
    with pytest.raises(ValueError, match="2"):
        conditional_reward_dispersion(groups)


@pytest.mark.parametrize("k", [2, 3])
def test_control_is_spearman_per_objective(k):
    weights = np.round(rng(12).dirichlet(np.ones(k), size=13), 1)  # has ties, as the paper's 13
    points = weights + 0.3 * rng(13).normal(size=(13, k))
    expected = [spearmanr(weights[:, i], points[:, i]).statistic for i in range(k)]
    got = control(weights, points)
    assert got.shape == (k,)
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_control_of_perfect_reversed_and_absent_control():
    w = np.linspace(0, 1, 11)
    weights = np.column_stack([w, 1 - w])
    np.testing.assert_allclose(control(weights, np.exp(5 * weights)), [1, 1])
    np.testing.assert_allclose(control(weights, -(weights**3)), [-1, -1])
    points = np.column_stack([np.full(11, 0.3), 1 - w])
    np.testing.assert_allclose(control(weights, points), [0, 1])


def decodability_reference(logps: np.ndarray) -> float:
    total = 0.0
    prompts, m, _ = logps.shape
    for p in range(prompts):
        for i in range(m):
            likelihoods = [np.exp(logps[p, i, j] - logps[p, i].max()) for j in range(m)]
            total += np.log(likelihoods[i] / (sum(likelihoods) / m))
    return total / (prompts * m)


@pytest.mark.parametrize("m", [2, 11])
def test_decodability_against_its_definition(m):
    logps = -30 + 2 * rng(14).normal(size=(6, m, m)) + 3 * np.eye(m)
    got = decodability(logps)
    assert isinstance(got, float)
    assert got == pytest.approx(decodability_reference(logps), rel=1e-9)
    assert got != pytest.approx(decodability_reference(logps.transpose(0, 2, 1)), rel=1e-3)


def test_decodability_is_zero_when_w_is_ignored():
    logps = np.repeat(-700 * rng(15).uniform(1, 2, size=(5, 11, 1)), 11, axis=2)
    assert decodability(logps) == pytest.approx(0.0, abs=1e-9)


def test_decodability_reaches_its_ceiling():
    """Summed log-probs of long responses: exp() of them underflows without care."""
    logps = np.full((4, 11, 11), -5000.0)
    logps[:, np.arange(11), np.arange(11)] = -1200.0
    assert decodability(logps) == pytest.approx(np.log(11), rel=1e-9)


@pytest.mark.parametrize("shape", [(3, 2), (3, 2, 4)])
def test_decodability_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="logps"):
        decodability(np.zeros(shape))


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


def test_resampled_dispersion_needs_two_prompts():
    with pytest.raises(ValueError, match="2 prompts"):
        resampled_dispersion(np.zeros((3, 1, 2)), np.ones((5, 1)))


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


def mean_of(values, counts):
    """The mean reward as a statistic; values: (S, P)."""
    return Statistic(values.mean(axis=1), counts @ values.T / counts.shape[1])


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


def test_a_run_minus_itself_is_exactly_zero():
    counts = prompt_counts(30, 200, seed=0)
    run = mean_of(rng(26).normal(size=(3, 30)), counts)
    got = difference(run, run)
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


def test_every_pair_once_mi_epo_first():
    names = ["sft", "ric", "mo_odpo", "mi_epo", "mi_epo_strong"]
    assert ordered_pairs(names) == [
        *[("mi_epo", name) for name in ("mo_odpo", "sft", "ric", "mi_epo_strong")],
        *[("mo_odpo", name) for name in ("sft", "ric", "mi_epo_strong")],
        *[("sft", "ric"), ("sft", "mi_epo_strong"), ("ric", "mi_epo_strong")],
    ]
    assert ordered_pairs(["sft"]) == []


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
