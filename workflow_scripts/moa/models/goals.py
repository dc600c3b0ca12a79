"""Rewards-in-Context: desired rewards in the prompt, and the preference vectors they stand for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moa.preferences import build_prompt

GOALS = "goals.json"  # in RiC's entry: low and high per objective, and the rule
DECIMALS = 1


def build_goal_prompt(
    x: str, objectives: Sequence[str], goals: Sequence[float] | np.ndarray
) -> str:
    """`Human: {x} helpfulness 0.5 harmlessness -1.2 Assistant:`, normalised rewards to 1 decimal.

    The same form as G(x, w), with the objectives' own names as tags.
    """
    rounded = [round(float(goal), DECIMALS) + 0.0 for goal in goals]  # + 0.0: no "-0.0"
    return build_prompt(x, objectives, rounded, DECIMALS)


def preference_to_goal(
    w: Sequence[float], low: Sequence[float], high: Sequence[float], rule: str
) -> np.ndarray:
    """goal_k = w_k / ||w|| * (high_k - low_k) + low_k, with the rule's norm: (K,).

    low, high: (K,) the smallest and largest normalised reward seen offline. rule: `l2`, `linf`
    (the largest weight asks for the maximum) or `linear` (the weights as they are, divided by their
    sum). Source: the preference-to-reward mapping of Yang et al. 2024, Rewards-in-Context.
    Raises: ValueError for another rule or if w is all zeros.
    """
    weights, lowest = np.asarray(w, dtype=np.float64), np.asarray(low, dtype=np.float64)
    norms = {"l2": np.linalg.norm(weights), "linf": weights.max(), "linear": weights.sum()}
    if rule not in norms:
        raise ValueError(f"goal rule {rule!r}: choose one of {', '.join(norms)}")
    if not norms[rule] > 0:
        raise ValueError(f"w is {list(w)}: at least one weight must be above 0")
    return weights / norms[rule] * (np.asarray(high, dtype=np.float64) - lowest) + lowest


def reaches_quantile(rewards: np.ndarray, offline: np.ndarray, quantile: float) -> np.ndarray:
    """Which of `rewards` (N, K) reach the offline quantile in some objective: (N,) bool.

    offline: (M, K) rewards of the dataset's responses; each column has a threshold of its own.
    """
    return (rewards >= np.quantile(offline, quantile, axis=0)).any(axis=1)
