"""Metrics against definitions that are slow but plainly right."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import spearmanr

from moa.metrics import (
    conditional_reward_dispersion,
    control,
    decodability,
    divergence,
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
    groups = [rng(9 + i).normal(size=(n, k)) @ mixing for i, n in enumerate((4, 5, 30, 7))]
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


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_dispersion_needs_more_rows_than_rewards_per_condition(rows):
    """With as many, the covariance lacks a direction, and its determinant is 0 whatever they are."""
    groups = [rng(11).normal(size=(5, 2)), rng(12).normal(size=(rows, 2))]
    with pytest.raises(ValueError, match=rf"\({rows}, 2\): CRD of k rewards needs k \+ 1 rows"):
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


def test_divergence_in_nats_and_per_token():
    logps, reference = np.array([[-1.0, -4.0]]), np.array([[-3.0, -5.0]])
    assert divergence(logps, reference, np.array([[2.0, 4.0]])) == (1.5, 0.5)


def test_divergence_of_empty_responses_is_none():
    assert divergence([[0.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]]) == (0.0, 0.0)


@pytest.mark.parametrize("tokens", [[[1.0]], [1.0, 1.0]])
def test_divergence_needs_the_tokens_of_every_response(tokens):
    with pytest.raises(ValueError, match=r"expected .P, M"):
        divergence([[0.0, 0.0]], [[0.0, 0.0]], tokens)
