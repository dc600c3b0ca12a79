"""The best that any policy can do in a world whose responses can be enumerated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from moa.metrics import mean_inner_product
from moa.oracles.scale import RewardScale


def convex_hypervolume(points: np.ndarray, reference: np.ndarray) -> float:
    """Volume above `reference` dominated by the convex hull of `points` (n, k).

    Policies may mix, so every point of the hull is achievable: this bounds any front's hypervolume.
    The dominated set is hull + negative orthant; its half-spaces are cut with z >= reference.
    """
    from scipy.optimize import linprog
    from scipy.spatial import ConvexHull, HalfspaceIntersection

    k = points.shape[1]
    floor = np.minimum(points.min(axis=0), reference) - 1.0
    keep = (np.arange(2**k)[:, None] >> np.arange(k)) & 1  # every subset of coordinates
    projected = np.where(keep[None], points[:, None, :], floor).reshape(-1, k)
    spaces = np.vstack(
        [
            ConvexHull(projected).equations,
            np.hstack([-np.eye(k), np.asarray(reference, dtype=float)[:, None]]),
        ]
    )
    norms = np.linalg.norm(spaces[:, :-1], axis=1)
    centre = linprog(
        np.append(np.zeros(k), -1.0),
        A_ub=np.hstack([spaces[:, :-1], norms[:, None]]),
        b_ub=-spaces[:, -1],
        bounds=[(None, None)] * k + [(0, None)],
    )
    if not centre.success or centre.x[-1] < 1e-9:
        return 0.0
    corners = HalfspaceIntersection(spaces, centre.x[:-1]).intersections
    return float(ConvexHull(corners).volume)


def optimum(
    best_points: Callable[..., np.ndarray],
    prompts: Sequence[str],
    vectors: np.ndarray,
    scale: RewardScale,
    reference: np.ndarray,
) -> dict[str, Any]:
    """The best achievable points per vector, front, HV and MIP of an enumerable world.

    best_points(objectives, prompts, weights, std) -> raw rewards of the best policy per weight.
    """
    objectives, std = scale.objectives, scale.std
    k = len(objectives)
    dense = np.random.default_rng(0).dirichlet(np.ones(k), size=4000)
    dense = np.vstack([np.eye(k), dense])
    if k == 2:
        dense = np.stack([np.linspace(0, 1, 2001), 1 - np.linspace(0, 1, 2001)], axis=1)
    front = scale.normalise(best_points(objectives, prompts, dense, std))
    front = np.unique(front.round(9), axis=0)
    points = scale.normalise(best_points(objectives, prompts, vectors, std))
    return {
        "points": points.tolist(),
        "front": front.tolist(),
        "hv": convex_hypervolume(front, reference),
        "mip": mean_inner_product(vectors, points),
    }
