"""Where the spread of a run's numbers comes from: seeds, prompts, and the sampling of responses.

To first order each number of one seed varies by independent parts, whose variances add: V_seeds of
training again, V_prompts of other prompts, V_sampling of other responses to the same prompts by the same
policy. Some prompts are answered several times, so

    V_sampling = P' / P x the variance of the number between the samples, on those P' of all P prompts
    V_prompts  = the variance under resampling of prompts - V_sampling
    V_seeds    = the variance between seeds - V_sampling

as a response sampled again changes what other prompts and other seeds show, too. V is 1 / (number of
prompts) to first order, hence P' / P.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from moa.evaluation.bootstrap import Statistic

Measure = Callable[[np.ndarray], float]  # of rewards (M, P, k)


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a number of one seed. None where there are no repeats, or one seed."""

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
    P' is to be above k, as for CRD.
    """
    if not all(samples.shape[2] > samples.shape[3] for samples in repeats.values()) or not repeats:
        return Spread(None, None, None)
    sampled = []
    for seed, samples in repeats.items():
        numbers = [measure(sample) for sample in samples]
        sampled.append(np.var(numbers, ddof=1) * samples.shape[2] / rewards[seed].shape[1])
    sampling = float(np.mean(sampled))
    prompts = float(statistic.resampled.var(axis=0, ddof=1).mean())
    if len(statistic.observed) == 1:
        return Spread(None, _root(prompts - sampling), _root(sampling))
    seeds = float(statistic.observed.var(ddof=1))
    return Spread(_root(seeds - sampling), _root(prompts - sampling), _root(sampling))


def _root(variance: float) -> float:
    """An estimated variance below 0 is one that is too small to be seen."""
    return max(0.0, variance) ** 0.5
