"""Laws of the metrics, over points on a small grid, where ties and points on the reference are common."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa.metrics import conditional_reward_dispersion, hypervolume, mean_inner_product

LOW, HIGH = -2, 4
GRID = st.integers(LOW, HIGH)
SIZES = st.sampled_from([2, 3])
REWARDS = st.floats(-10, 10).map(lambda x: round(x, 3))


@st.composite
def fronts(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, k), and a reference (k,)."""
    k = draw(SIZES)
    points = draw(st.lists(st.tuples(*[GRID] * k), max_size=6))
    reference = draw(st.tuples(*[st.integers(LOW, 1)] * k))
    return np.array(points, dtype=float).reshape(-1, k), np.array(reference, dtype=float)


def cells(points: np.ndarray, reference: np.ndarray) -> int:
    """How many unit cells above the reference lie below a point, counted one by one."""
    corners = product(*(range(int(low), HIGH) for low in reference))
    return sum(bool((points >= np.array(c) + 1).all(axis=1).any()) for c in corners)


def volume(points: np.ndarray, reference: np.ndarray) -> float:
    return pytest.approx(hypervolume(points, reference), abs=1e-9)


@given(fronts())
def test_hypervolume_counts_the_cells_below_the_points(front):
    assert cells(*front) == volume(*front)


@given(fronts(), st.data())
def test_hypervolume_grows_with_points_and_not_with_dominated_ones(front, data):
    points, reference = front
    before = hypervolume(points, reference)
    new = np.array(data.draw(st.tuples(*[GRID] * len(reference))), dtype=float)
    assert hypervolume([*points, new], reference) >= before - 1e-9
    if len(points):
        worse = np.minimum(new, points[data.draw(st.integers(0, len(points) - 1))])
        assert before == volume([*points, worse], reference)
    better = points + data.draw(st.integers(0, 2))
    assert hypervolume(better, reference) >= before - 1e-9


@given(fronts(), st.randoms(use_true_random=False))
def test_hypervolume_depends_neither_on_the_order_of_points_nor_of_objectives(front, random):
    points, reference = front
    rows = random.sample(range(len(points)), len(points))
    columns = random.sample(range(len(reference)), len(reference))
    assert hypervolume(points, reference) == volume(points[rows][:, columns], reference[columns])


@st.composite
def tables(draw: st.DrawFn, rows: int, least: int = 1) -> list[list[list[float]]]:
    """`rows` tables of one shape (n, k), n at least k + least - 1."""
    k = draw(st.integers(1, 3))
    n = draw(st.integers(k + least - 1, 7))
    row = st.lists(REWARDS, min_size=k, max_size=k)
    return [draw(st.lists(row, min_size=n, max_size=n)) for _ in range(rows)]


@given(tables(2))
def test_mean_inner_product_is_the_mean_of_inner_products(made):
    weights, rewards = made
    total = 0.0
    for w, r in zip(weights, rewards, strict=True):
        for a, b in zip(w, r, strict=True):
            total += a * b
    assert mean_inner_product(weights, rewards) == pytest.approx(total / len(weights), abs=1e-9)


def determinant(matrix: list[list[float]]) -> float:
    """By the first row's minors."""
    if not matrix:
        return 1.0
    minors = [[row[:j] + row[j + 1 :] for row in matrix[1:]] for j in range(len(matrix))]
    return sum((-1) ** j * matrix[0][j] * determinant(minors[j]) for j in range(len(matrix)))


def dispersion(group: list[list[float]]) -> float:
    """det(cov), ddof 1, sum by sum."""
    n, k = len(group), len(group[0])
    means = [sum(row[i] for row in group) / n for i in range(k)]
    return determinant(
        [
            [
                sum((row[i] - means[i]) * (row[j] - means[j]) for row in group) / (n - 1)
                for j in range(k)
            ]
            for i in range(k)
        ]
    )


@given(tables(3, least=2), st.randoms(use_true_random=False))
def test_dispersion_is_the_mean_of_determinants_of_covariances(groups, random):
    expected = sum(map(dispersion, groups)) / len(groups)
    assert conditional_reward_dispersion(groups) == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert conditional_reward_dispersion(groups) >= -1e-6
    mixed = [random.sample(group, len(group)) for group in random.sample(groups, len(groups))]
    moved = [[[x + 7.0 for x in row] for row in group] for group in mixed]
    assert conditional_reward_dispersion(moved) == pytest.approx(expected, rel=1e-6, abs=1e-6)
