"""Differences between two runs over seeds: what training again could change.

The unit is a seed, which is a whole pipeline from SFT on: paired differences of a few seeds, Student's t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

POWER = 0.8


@dataclass(frozen=True)
class SeedTest:
    """A paired difference over seeds: its mean, its 95 % interval over seeds, p (two-sided), the smallest
    difference that so many seeds would show in POWER of all cases, and the share of pairs of seeds in
    which the first run is the larger one, ties a half. None where one seed tells nothing.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    detectable: float | None
    improvement: float


def paired(run: ArrayLike, against: ArrayLike) -> SeedTest:
    """run, against: one number per seed, seed by seed. Raises: ValueError if they are not as many."""
    from scipy.stats import t

    a, b = np.asarray(run, dtype=np.float64), np.asarray(against, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0:
        raise ValueError(f"{a.shape} and {b.shape} numbers: expected as many seeds on both sides")
    differences, n = a - b, len(a)
    above = (a[:, None] > b[None, :]).mean() + (a[:, None] == b[None, :]).mean() / 2
    mean = float(differences.mean())
    if n == 1:
        return SeedTest(mean, None, None, None, None, float(above))
    error = float(differences.std(ddof=1)) / n**0.5
    wide = float(t.ppf(0.975, n - 1))
    if error == 0:  # equal in every seed, or apart by the same: t has no value
        p = 1.0 if mean == 0 else 0.0
        return SeedTest(mean, mean, mean, p, 0.0, float(above))
    p = float(2 * t.sf(abs(mean) / error, n - 1))
    smallest = error * (wide + float(t.ppf(POWER, n - 1)))
    return SeedTest(mean, mean - wide * error, mean + wide * error, p, smallest, float(above))
