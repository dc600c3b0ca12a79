"""Whether what was trained bears a claim out, when training again is what could change it.

The unit is a seed, which is a whole pipeline from SFT on: paired differences of a few seeds, Student's t,
and Holm's correction for the number of claims that are tested together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.05  # of the family of claims
POWER = 0.8


@dataclass(frozen=True)
class Test:
    """A paired difference over seeds: its mean, its 95 % interval over seeds, p (two-sided), the smallest
    difference that so many seeds would show in POWER of all cases, and the share of pairs of seeds in
    which the first run is the larger one, ties a half. NaN where one seed tells nothing.
    """

    mean: float
    low: float
    high: float
    p: float
    detectable: float
    improvement: float


def paired(run: Sequence[float], against: Sequence[float]) -> Test:
    """run, against: one number per seed, seed by seed. Raises: ValueError if they are not as many."""
    from scipy.stats import t

    a, b = np.asarray(run, dtype=np.float64), np.asarray(against, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0:
        raise ValueError(f"{a.shape} and {b.shape} numbers: expected as many seeds on both sides")
    differences, n = a - b, len(a)
    above = (a[:, None] > b[None, :]).mean() + (a[:, None] == b[None, :]).mean() / 2
    mean = float(differences.mean())
    if n == 1:
        return Test(mean, *(float("nan"),) * 4, float(above))
    error = float(differences.std(ddof=1)) / n**0.5
    wide = float(t.ppf(0.975, n - 1))
    if error == 0:  # equal in every seed, or apart by the same: t has no value
        p = 1.0 if mean == 0 else 0.0
        return Test(mean, mean, mean, p, 0.0, float(above))
    p = float(2 * t.sf(abs(mean) / error, n - 1))
    smallest = error * (wide + float(t.ppf(POWER, n - 1)))
    return Test(mean, mean - wide * error, mean + wide * error, p, smallest, float(above))


def holm(values: Sequence[float]) -> list[float]:
    """Holm's correction: p of each of some claims that are tested together, NaN for NaN.

    The smallest is multiplied by their number, the next by one less, and so on; never smaller than the one
    before. Source: Holm 1979.
    """
    corrected = [float("nan")] * len(values)
    known = sorted((p, i) for i, p in enumerate(values) if not np.isnan(p))
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[i] = largest
    return corrected


def verdict(mean: float, corrected: float, expected: float) -> str:
    """`held`, `reversed` or `open`. expected: above 0 if the claim is of a difference above 0."""
    if not corrected < LEVEL:
        return "open"
    return "held" if (mean > 0) == (expected > 0) else "reversed"
