"""From a task's scores to its metrics: per run and seed, with intervals, warnings and the optimum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moa.metrics import (
    bootstrap_interval,
    conditional_reward_dispersion,
    control,
    decodability,
    hypervolume,
    mean_inner_product,
)

COLLAPSED_SHARE = 0.5  # of responses empty, or equal to one single response
VISIBLE_CONTROL = 0.5  # mean Spearman correlation below which w is said to have no visible effect


def reward_table(scores: pd.DataFrame, objectives: Sequence[str]) -> np.ndarray:
    """Normalised rewards (M, P, k) of one run and seed; vectors and prompts in sorted order.

    Raises: ValueError if some (vector, prompt) is missing or there twice.
    """
    ordered = scores.sort_values(["vector", "prompt_id"], kind="stable")
    m, p = ordered["vector"].nunique(), ordered["prompt_id"].nunique()
    if len(ordered) != m * p or ordered.duplicated(["vector", "prompt_id"]).any():
        raise ValueError(f"{len(ordered)} scores for {m} vectors and {p} prompts: some are missing")
    return ordered[[f"norm_{name}" for name in objectives]].to_numpy().reshape(m, p, -1)


def headline_statistics(
    vectors: np.ndarray, reference: np.ndarray
) -> dict[str, Callable[[np.ndarray], float]]:
    """HV, MIP and CRD as functions of a reward table (M, P, k)."""
    return {
        "hv": lambda t: hypervolume(t.mean(axis=1), reference),
        "mip": lambda t: mean_inner_product(vectors, t.mean(axis=1)),
        "crd": conditional_reward_dispersion,
    }


def summarise_run(
    tables: dict[int, np.ndarray],
    likelihoods: dict[int, np.ndarray],
    scores: pd.DataFrame,
    vectors: np.ndarray,
    objectives: Sequence[str],
    settings: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """All figures of one run: per seed, their mean over seeds, and 95 % intervals over prompts.

    tables: seed -> (M, P, k) normalised rewards. likelihoods: seed -> (P', M, M). Intervals are of
    the mean over seeds: one draw of prompts serves all seeds, since all answered the same prompts.
    """
    reference = np.full(len(objectives), float(settings["reference"]))
    statistics = headline_statistics(vectors, reference)
    stacked = np.stack([tables[s] for s in sorted(tables)])  # (S, M, P, k)
    per_seed = {
        str(s): {
            "points": table.mean(axis=1).tolist(),
            **{name: statistic(table) for name, statistic in statistics.items()},
            "control": dict(
                zip(objectives, control(vectors, table.mean(axis=1)).tolist(), strict=True)
            ),
            "decodability": decodability(likelihoods[s]),
            "hv_by_reference": {
                str(r): hypervolume(table.mean(axis=1), np.full(len(objectives), float(r)))
                for r in settings["reference_sensitivity"]
            },
        }
        for s, table in tables.items()
    }
    n_seeds, m, p, k = stacked.shape
    joint = stacked.reshape(n_seeds * m, p, k)

    def over_seeds(statistic: Callable[[np.ndarray], float]) -> Callable[[np.ndarray], float]:
        return lambda t: float(np.mean([statistic(x) for x in t.reshape(n_seeds, m, -1, k)]))

    summary: dict[str, Any] = {"seeds": per_seed}
    for name, statistic in statistics.items():
        low, high = bootstrap_interval(
            joint,
            over_seeds(statistic),
            resamples=settings["bootstrap_resamples"],
            rng=np.random.default_rng(seed),
        )
        summary[name] = _spread([per_seed[s][name] for s in per_seed], low, high)
    summary["decodability"] = _spread([per_seed[s]["decodability"] for s in per_seed])
    summary["control"] = {
        o: _spread([per_seed[s]["control"][o] for s in per_seed]) for o in objectives
    }
    points = stacked.mean(axis=0)  # (M, P, k), mean over seeds
    summary["points"] = points.mean(axis=1).tolist()
    summary["points_low"], summary["points_high"] = _point_intervals(points, settings, seed)
    summary["health"] = response_health(scores)
    summary["warnings"] = warnings(summary)
    return summary


def response_health(scores: pd.DataFrame) -> dict[str, float]:
    """Shares of responses that are empty, that equal the most common one, and that finished."""
    text = scores["response"]
    return {
        "empty": float((text == "").mean()),
        "most_common": float(text.value_counts(normalize=True).iloc[0]),
        "finished": float(scores["finished"].mean()),
        "tokens": float(scores["tokens"].mean()),
    }


def warnings(summary: dict[str, Any]) -> list[str]:
    """What a reader must know before believing a row of the table."""
    found = []
    health = summary["health"]
    if health["empty"] > COLLAPSED_SHARE:
        found.append(f"collapsed: {health['empty']:.0%} of the responses are empty")
    elif health["most_common"] > COLLAPSED_SHARE:
        found.append(f"collapsed: {health['most_common']:.0%} of the responses are identical")
    mean_control = np.mean([c["mean"] for c in summary["control"].values()])
    if mean_control < VISIBLE_CONTROL:
        found.append(f"w has no visible effect: mean control {mean_control:.2f}")
    return found


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
    objectives: Sequence[str],
    prompts: Sequence[str],
    vectors: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
    reference: np.ndarray,
) -> dict[str, Any]:
    """The best achievable points per vector, front, HV and MIP of an enumerable world.

    best_points(objectives, prompts, weights, std) -> raw rewards of the best policy per weight.
    """
    k = len(objectives)
    dense = np.random.default_rng(0).dirichlet(np.ones(k), size=4000)
    dense = np.vstack([np.eye(k), dense])
    if k == 2:
        dense = np.stack([np.linspace(0, 1, 2001), 1 - np.linspace(0, 1, 2001)], axis=1)
    front = (best_points(objectives, prompts, dense, std) - mean) / std
    front = np.unique(front.round(9), axis=0)
    points = (best_points(objectives, prompts, vectors, std) - mean) / std
    return {
        "points": points.tolist(),
        "front": front.tolist(),
        "hv": convex_hypervolume(front, reference),
        "mip": mean_inner_product(vectors, points),
    }


def _spread(
    values: Sequence[float], low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    """Mean over seeds, spread over seeds (ddof 1, None for one seed), interval over prompts."""
    return {
        "mean": float(np.mean(values)),
        "seed_std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "low": low,
        "high": high,
    }


def _point_intervals(
    points: np.ndarray, settings: dict[str, Any], seed: int
) -> tuple[list[list[float]], list[list[float]]]:
    """95 % bootstrap interval over prompts of every vector's mean point: (M, P, k) -> two (M, k)."""
    rng = np.random.default_rng(seed)
    n = points.shape[1]
    draws = rng.integers(n, size=(settings["bootstrap_resamples"], n))
    means = np.stack([points[:, draw].mean(axis=1) for draw in draws])
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low.tolist(), high.tolist()
