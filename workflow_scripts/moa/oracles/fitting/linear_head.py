"""Linear scores fitted on ratings and on pairs, with held-out checks. Numpy and scipy only.

A rating t in [0, 1] enters by cross-entropy on sigmoid(x.v + b), a pair by the Bradley-Terry term
-log sigmoid((x_better - x_worse).v), each with its weight, plus an L2 penalty on v.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

FOLDS = 5


@dataclass(frozen=True)
class Examples:
    """x: (N, D) features, for a pair the difference better - worse. target: (N,) in [0, 1], 1 for
    a pair. is_pair: (N,) bool. weight: (N,). prompt: (N,), which decides the fold. kind: (N,)."""

    x: np.ndarray
    target: np.ndarray
    is_pair: np.ndarray
    weight: np.ndarray
    prompt: np.ndarray
    kind: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Examples:
        return Examples(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def fit(data: Examples, l2: float) -> tuple[np.ndarray, float]:
    """Weights (D,) and bias of the minimum, which is unique: the objective is strictly convex."""
    from scipy.optimize import minimize

    rating = ~data.is_pair  # a pair's bias cancels

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        v, bias = theta[:-1], theta[-1]
        z = data.x @ v + bias * rating
        error = data.weight * (_sigmoid(z) - data.target)
        gradient = np.append(data.x.T @ error + l2 * v, error @ rating)
        return float(_cross_entropy(z, data) @ data.weight + 0.5 * l2 * v @ v), gradient

    start = np.zeros(data.x.shape[1] + 1)
    theta = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return theta[:-1], float(theta[-1])


def cross_validate(data: Examples, l2: float) -> tuple[np.ndarray, float]:
    """Held-out scores (N,) and their mean weighted cross-entropy; folds never share a prompt."""
    fold = np.array([_fold(prompt) for prompt in data.prompt])
    scores = np.zeros(len(fold))
    for k in range(FOLDS):
        test = fold == k
        v, bias = fit(data[~test], l2)
        scores[test] = data.x[test] @ v + bias * ~data.is_pair[test]
    return scores, float(_cross_entropy(scores, data) @ data.weight / data.weight.sum())


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive scores above a negative, ties half; needs some of both."""
    from scipy.stats import rankdata

    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    ranks = rankdata(scores)[positive].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def within_prompt_accuracy(
    scores: np.ndarray, target: np.ndarray, prompt: np.ndarray, margin: float
) -> tuple[float, int]:
    """Share of pairs of one prompt, apart by at least `margin`, in the right order; their number.

    A pair with equal scores counts as wrong. (nan, 0) if there is no such pair.
    """
    right = total = 0
    for name in np.unique(prompt):
        rows = np.flatnonzero(prompt == name)
        above = target[rows][:, None] - target[rows][None] >= margin
        right += int((above & (scores[rows][:, None] > scores[rows][None])).sum())
        total += int(above.sum())
    return (right / total if total else float("nan")), total


def _cross_entropy(z: np.ndarray, data: Examples) -> np.ndarray:
    return np.logaddexp(0.0, z) - data.target * z


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * z))  # does not overflow


def _fold(prompt: str) -> int:
    return int(hashlib.sha256(prompt.encode()).hexdigest(), 16) % FOLDS
