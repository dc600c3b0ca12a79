"""Clouds of rewards, one per preference: dots, ellipse and mean, and how far two clouds overlap.

An ellipse holds half of a normal distribution with the cloud's covariance. Shared by the figures
that show responses rather than means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

HALF = np.sqrt(2 * np.log(2))  # radius, in standard deviations, that holds half of a 2-D normal
SAME = 0.01  # standard deviation below which normalised rewards count as equal


def jitter(values: np.ndarray) -> float:
    """Half-width of the noise that sets dots on a coarse grid apart; 0 for continuous rewards."""
    steps = np.unique(values.round(9))
    if len(steps) < 2 or len(steps) > 40 or len(steps) > 0.5 * len(values):
        return 0.0
    return 0.3 * float(np.diff(steps).min())


def limits(values: np.ndarray) -> tuple[float, float]:
    """Ends of an axis that holds all values (n,) with some room."""
    if len(values) == 0:
        return -1.0, 1.0
    low, high = float(values.min()), float(values.max())
    pad = 0.06 * (high - low) or 0.5
    return low - pad, high + pad


def draw(
    axes: Axes,
    points: np.ndarray,
    colour: str,
    noise: Sequence[float],
    *,
    dots: int,
    alpha: float = 0.35,
    fill: float = 0.15,
) -> None:
    """One cloud of `points` (n, 2), at most `dots` of which are drawn, jittered by `noise` (2,)."""
    if len(points) == 0:
        return
    rng = np.random.default_rng(0)
    few = points[rng.permutation(len(points))[:dots]]
    shown = few + rng.uniform(-1, 1, (2, len(few))).T * noise
    axes.scatter(shown[:, 0], shown[:, 1], s=4, color=colour, alpha=alpha, linewidths=0)
    mean = points.mean(axis=0)
    if len(points) > 1:
        size, axis = np.linalg.eigh(np.cov(points.T))
        width, height = 2 * HALF * np.sqrt(np.clip(size, 0, None))
        angle = float(np.rad2deg(np.arctan2(axis[1, 0], axis[0, 0])))
        place = ((float(mean[0]), float(mean[1])), float(width), float(height))
        axes.add_patch(Ellipse(*place, angle=angle, fc=colour, alpha=fill, lw=0, zorder=3))
        axes.add_patch(Ellipse(*place, angle=angle, fill=False, ec=colour, lw=1.3, zorder=4))
    axes.plot(*mean, "X", color=colour, ms=6, mec="white", mew=0.8, zorder=5, clip_on=False)


def overlap(clouds: Sequence[np.ndarray]) -> np.ndarray:
    """Bhattacharyya coefficients (m, m) of the normals fitted to m clouds, each (n, k).

    1 for equal normals, near 0 for normals far apart, NaN for clouds without points. In all k
    objectives at once. A variance of `SAME` squared is added, so that constant rewards have a
    normal too.
    """
    found = np.full((len(clouds), len(clouds)), np.nan)
    fits = [_fit(cloud) for cloud in clouds]
    for i, one in enumerate(fits):
        for j, other in enumerate(fits[: i + 1]):
            if one is None or other is None:
                continue
            apart, between = one[0] - other[0], (one[1] + other[1]) / 2
            spread = (
                np.linalg.slogdet(between)[1]
                - sum(np.linalg.slogdet(cov)[1] for cov in (one[1], other[1])) / 2
            )
            distance = apart @ np.linalg.solve(between, apart) / 8 + spread / 2
            found[i, j] = found[j, i] = np.exp(-max(distance, 0.0))
    return found


def mean_overlap(coefficients: np.ndarray) -> float:
    """Mean over all pairs of different clouds; NaN without a pair."""
    pairs = coefficients[np.tril_indices(len(coefficients), -1)]
    pairs = pairs[np.isfinite(pairs)]
    return float(pairs.mean()) if len(pairs) else float("nan")


def _fit(points: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    if len(points) == 0:
        return None
    k = points.shape[1]
    cov = np.cov(points.T) if len(points) > 1 else np.zeros((k, k))
    return points.mean(axis=0), cov + SAME**2 * np.eye(k)
