"""From a task's scores to its metrics: all runs over the same prompts, and the world's optimum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moa.bootstrap import prompt_counts
from moa.comparisons import compare, reference_points
from moa.metrics import mean_inner_product
from moa.run_summary import RunScores, estimate, summarise

EXPERTS = "rlhf"  # one expert per objective, not one policy that reads w: it has points, no metrics


def reward_table(scores: pd.DataFrame, objectives: Sequence[str]) -> np.ndarray:
    """Normalised rewards (M, P, k) of one run and seed; vectors and prompts in sorted order.

    Raises: ValueError if some (vector, prompt) is missing or there twice.
    """
    ordered = scores.sort_values(["vector", "prompt_id"], kind="stable")
    m, p = ordered["vector"].nunique(), ordered["prompt_id"].nunique()
    if len(ordered) != m * p or ordered.duplicated(["vector", "prompt_id"]).any():
        raise ValueError(f"{len(ordered)} scores for {m} vectors and {p} prompts: some are missing")
    return ordered[[f"norm_{name}" for name in objectives]].to_numpy().reshape(m, p, -1)


def evaluate(
    runs: Sequence[RunScores], objectives: Sequence[str], settings: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """The numbers of all runs: `prompts`, `references`, `runs` by name, `comparisons`.

    settings: reference, reference_sensitivity, bootstrap_resamples. seed: of the resamples, which
    all runs share. Raises: ValueError if runs differ in seeds or prompts, or miss a vector.
    """
    n_prompts = _common_prompts(runs)
    references = reference_points(
        settings["reference"],
        settings["reference_sensitivity"],
        np.concatenate([run.points for run in runs]),
    )
    counts = prompt_counts(n_prompts, settings["bootstrap_resamples"], seed)
    estimates = {
        run.name: estimate(run, references, str(settings["reference"]), counts)
        for run in runs
        if run.method != EXPERTS
    }
    return {
        "prompts": n_prompts,
        "references": [{"name": n, "point": p.tolist()} for n, p in references.items()],
        "runs": {r.name: summarise(r, estimates.get(r.name), objectives, counts) for r in runs},
        "comparisons": compare({name: e.headline for name, e in estimates.items()}),
    }


def _common_prompts(runs: Sequence[RunScores]) -> int:
    """The number of prompts, after a check that all runs share their seeds and their prompts."""
    seeds, prompts = sorted(runs[0].rewards), set(runs[0].responses["prompt_id"])
    for run in runs:
        if sorted(run.rewards) != seeds:
            raise ValueError(
                f"{run.name}: seeds {sorted(run.rewards)}, but {runs[0].name} has {seeds}: runs are "
                "compared seed by seed, so score all of them under the same seeds"
            )
        shape = (len(run.vectors), len(prompts), run.vectors.shape[1])
        for seed, table in run.rewards.items():
            if set(run.responses["prompt_id"]) != prompts or table.shape != shape:
                raise ValueError(
                    f"{run.name}, seed {seed}: scores {table.shape} (vectors, prompts, objectives), "
                    f"but {runs[0].name} and the config's vectors ask for {shape} over the same "
                    "prompts: generate and score all runs of a task from the same data"
                )
    return len(prompts)


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
