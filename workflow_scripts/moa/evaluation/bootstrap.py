"""Intervals of HV, MIP and CRD when the prompts are drawn again: all resamples at once.

A resample is a row of counts, how often each prompt was drawn. One set of rows serves every vector,
seed and run, because all of them answered the same prompts: that makes differences paired.
Shapes: R resamples, S seeds, M vectors, P prompts, k objectives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moa.metrics import hypervolume

TAILS = (0.025, 0.975)  # of a 95 % interval


@dataclass(frozen=True)
class Statistic:
    """One number of a run: as observed per seed (S,), and per resample and seed (R, S)."""

    observed: np.ndarray
    resampled: np.ndarray

    def __sub__(self, other: Statistic) -> Statistic:
        """The paired difference: seed by seed, and resample by resample of the same prompts."""
        if self.resampled.shape != other.resampled.shape:
            raise ValueError(
                f"resamples {self.resampled.shape} and {other.resampled.shape}: a paired difference "
                "needs the same draws and the same seeds on both sides"
            )
        return Statistic(self.observed - other.observed, self.resampled - other.resampled)

    def summary(self) -> dict[str, float | None]:
        """Mean over seeds, spread over seeds, and the 95 % interval over prompts of that mean.

        The resamples are shifted so that their mean is the estimate. HV and CRD are not linear in
        the prompts: drawing them again raises HV where points lie close together (a maximum of
        noisier points) and lowers CRD by a share 1/P, and a plain percentile interval would carry
        that bias a second time, up to lying beside its own estimate.
        """
        means = self.resampled.mean(axis=1)
        low, high = np.quantile(means, TAILS) + self.observed.mean() - means.mean()
        return {**over_seeds(self.observed), "low": float(low), "high": float(high)}


def over_seeds(values: Any) -> dict[str, float | None]:
    """Mean and standard deviation (ddof 1; None for one seed) of one number per seed."""
    numbers = np.asarray(values, dtype=np.float64)
    spread = float(numbers.std(ddof=1)) if len(numbers) > 1 else None
    return {"mean": float(numbers.mean()), "seed_std": spread, "low": None, "high": None}


def prompt_counts(n_prompts: int, resamples: int, seed: int) -> np.ndarray:
    """Draws of n_prompts prompts with replacement, as counts (R, P); the same for the same seed."""
    chances = np.full(n_prompts, 1 / n_prompts)
    draws = np.random.default_rng(seed).multinomial(n_prompts, chances, size=resamples)
    return draws.astype(np.float64)


def resampled_points(rewards: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean reward per vector in every resample: rewards (M, P, ...), counts (R, P) -> (R, M, ...)."""
    return np.tensordot(counts, rewards, axes=(1, 1)) / counts.shape[1]


def resampled_dispersion(rewards: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """CRD in every resample: rewards (M, P, k), counts (R, P) -> (R,).

    Raises: ValueError for fewer than k + 1 prompts, whose covariance has no full rank.
    """
    _, n, k = rewards.shape
    if n <= k:
        raise ValueError(
            f"rewards has shape {rewards.shape}: CRD of {k} rewards needs {k + 1} prompts or more"
        )
    # E[ab] - E[a]E[b] loses digits far from the origin; the observed mean is near every resample's.
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    means = resampled_points(centred, counts)
    products = resampled_points(centred[..., :, None] * centred[..., None, :], counts)
    covariances = (products - means[..., :, None] * means[..., None, :]) * (n / (n - 1))
    return np.linalg.det(covariances).mean(axis=1)


def hypervolumes(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The hypervolume of many sets of points: (R, M, k) above (k,) -> (R,).

    Two objectives are swept exactly for all sets at once; pymoo takes the others one by one.
    """
    if points.shape[2] != 2:
        return np.array([hypervolume(front, reference) for front in points])
    sides = np.maximum(points - reference, 0.0)
    order = np.argsort(-sides[:, :, 0], axis=1)
    sides = np.take_along_axis(sides, order[:, :, None], axis=1)
    widths = -np.diff(sides[:, :, 0], axis=1, append=0.0)
    return (widths * np.maximum.accumulate(sides[:, :, 1], axis=1)).sum(axis=1)
