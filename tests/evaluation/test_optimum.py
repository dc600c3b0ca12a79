"""The best front of the synthetic world, enumerated."""

import numpy as np
import pytest

from moa.datasets import world
from moa.evaluation.optimum import convex_hypervolume, optimum
from moa.metrics import hypervolume
from moa.oracles.scale import RewardScale

SAFE, RISKY = "explain bread today", "explain locks today"


@pytest.mark.parametrize("objectives", [("helpfulness", "harmlessness"), world.OBJECTIVES])
def test_no_policy_beats_the_enumerated_optimum(objectives):
    """Random deterministic policies, one choice per prompt, against the optimum per vector."""
    rng = np.random.default_rng(0)
    prompts = [SAFE] * 30 + [RISKY] * 30
    k = len(objectives)
    scale = RewardScale(tuple(objectives), np.full(k, 0.2), np.full(k, 0.3))
    reference = np.full(k, -1.0)
    vectors = rng.dirichlet(np.ones(k), size=11)
    best = optimum(world.best_points, prompts, vectors, scale, reference)
    options = [world.achievable(objectives, risky) for risky in (False, True)]
    for _ in range(100):
        picks = [o[rng.integers(len(o), size=30)] for o in options]
        point = scale.normalise(np.concatenate(picks).mean(axis=0))
        for w, top in zip(vectors, best["points"], strict=True):
            assert w @ point <= w @ np.array(top) + 1e-6
    # Greedy mixtures of the best points are still below the hull's hypervolume.
    assert hypervolume(best["points"], reference) <= best["hv"] + 1e-9
    assert hypervolume(best["front"], reference) <= best["hv"] + 1e-9


def test_the_hypervolume_of_a_hull_is_exact_where_it_can_be_drawn():
    triangle = np.array([[1.0, 0.0], [0.0, 1.0]])  # dominated: the unit square's lower half
    assert convex_hypervolume(triangle, np.zeros(2)) == pytest.approx(0.5)
    assert convex_hypervolume(np.array([[2.0, 3.0]]), np.zeros(2)) == pytest.approx(6.0)
    corner = np.eye(3)
    assert convex_hypervolume(corner, np.zeros(3)) == pytest.approx(1 / 6)
    assert convex_hypervolume(np.array([[-2.0, -2.0]]), np.zeros(2)) == 0.0
    # A vertex below the reference in one objective still carries the hull that reaches above it.
    assert convex_hypervolume(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.zeros(2)) == 0.0
    assert convex_hypervolume(np.array([[2.0, -1.0], [-1.0, 2.0]]), np.zeros(2)) == pytest.approx(
        0.5
    )
