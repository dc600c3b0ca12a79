"""Where the spread of a run's numbers comes from: seeds, prompts, and the sampling of responses.

To first order each number of one seed varies by independent parts, whose variances add: V_seeds of
training again, V_prompts of other prompts, V_sampling of other responses to the same prompts by the same
policy. The first P' of P prompts have N responses under every vector. A response of these drawn at random
for each, DRAWS times, beside all others as they are, gives

    V_sampling = N / (N - 1) x P / P' x the variance of the number over the draws
    V_prompts  = its variance under resampling of prompts - V_sampling
    V_seeds    = its variance between seeds - V_sampling

as N responses stand for all that there could be, and P' prompts have their share of what all would do;
and as a response sampled again changes what other prompts and other seeds show, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from moa.evaluation.bootstrap import Statistic

Measure = Callable[[np.ndarray], float]  # of rewards (M, P, k)
DRAWS, SEED = 200, 0


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a number of one seed. None where nothing tells it: there are no repeats, or
    one seed.
    """

    seeds: float | None
    prompts: float | None
    sampling: float | None


def split(
    statistic: Statistic,
    measure: Measure,
    rewards: Mapping[int, np.ndarray],
    repeats: Mapping[int, np.ndarray],
) -> Spread:
    """The parts of a number's spread.

    statistic: the number per seed, and resampled. measure: what computes it. rewards: seed -> (M, P, k).
    repeats: seed -> (N, M, P', k), all responses to the first P' prompts; empty if they have one each.
    """
    if not repeats:
        return Spread(None, None, None)
    sampled = [_sampling(measure, rewards[seed], samples) for seed, samples in repeats.items()]
    sampling = float(np.mean(sampled))
    prompts = float(statistic.resampled.var(axis=0, ddof=1).mean())
    several = len(statistic.observed) > 1
    seeds = float(statistic.observed.var(ddof=1)) if several else None
    return Spread(
        None if seeds is None else _root(seeds - sampling),
        _root(prompts - sampling),
        _root(sampling),
    )


def _sampling(measure: Measure, rewards: np.ndarray, samples: np.ndarray) -> float:
    """V_sampling: rewards (M, P, k), samples (N, M, P', k), of which the first are among the rewards.

    Raises: ValueError if they are not.
    """
    n, m, again, _ = samples.shape
    if not np.array_equal(samples[0], rewards[:, :again]):
        raise ValueError("further responses are not to the first prompts, or not of the same run")
    rng = np.random.default_rng(SEED)
    table, numbers = rewards.copy(), []
    for _ in range(DRAWS):
        drawn = rng.integers(n, size=(m, again))
        table[:, :again] = np.take_along_axis(samples, drawn[None, :, :, None], axis=0)[0]
        numbers.append(measure(table))
    return float(np.var(numbers, ddof=1)) * n / (n - 1) * rewards.shape[1] / again


def _root(variance: float) -> float:
    """An estimated variance below 0 is one that is too small to be seen."""
    return max(0.0, variance) ** 0.5
