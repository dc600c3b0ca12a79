"""Random numbers, and the mean reward as a statistic over resampled prompts."""

from __future__ import annotations

import numpy as np

from moa.evaluation.bootstrap import Statistic


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def mean_of(values: np.ndarray, counts: np.ndarray) -> Statistic:
    """The mean reward as a statistic; values: (S, P)."""
    return Statistic(values.mean(axis=1), counts @ values.T / counts.shape[1])
