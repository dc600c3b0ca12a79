"""Pairs made of a base's own answers: to each prompt the best by one objective beside the best by another.

A dataset's pair is what other models said, at other lengths; and on many prompts no answer of a small
base pleases one objective more than another, so that nothing can be learned there about w. How far a
prompt's answers trade objectives off is its contrast:

    contrast = min over k of (r_k(best by k) - max over j != k of r_k(best by j)) / std_k

in standard deviations of the reward k over all answers: what the objective that loses least would lose if
an answer was chosen for another one. It is 0 or less where one answer is the best by two objectives.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np


def best_answers(rewards: np.ndarray, rank: int = 0) -> np.ndarray:
    """Rewards (P, N, K) -> (P, K): which of N answers each objective ranks first, or at a later rank."""
    return np.argsort(-rewards, axis=1, kind="stable")[:, rank]


def contrasts(rewards: np.ndarray) -> np.ndarray:
    """Rewards (P, N, K) -> (P,), the contrast of every prompt."""
    k = rewards.shape[2]
    std = rewards.reshape(-1, k).std(axis=0)
    best = np.take_along_axis(rewards, best_answers(rewards)[:, :, None], axis=1)  # (P, best by, K)
    own = np.diagonal(best, axis1=1, axis2=2)
    others = np.where(np.eye(k, dtype=bool), -np.inf, best).max(axis=1)
    return ((own - others) / np.where(std > 0, std, 1)).min(axis=1)


def pairs(rewards: np.ndarray, count: int) -> list[list[tuple[int, int]]]:
    """Rewards (P, N, K) -> per prompt, pairs of answers: for every two objectives, the best by one and
    the best by the other, in both orders; then those of the next rank, `count` ranks in all. Equal ones
    are left out.
    """
    k = rewards.shape[2]
    ranked = [best_answers(rewards, rank) for rank in range(count)]
    found = []
    for p in range(len(rewards)):
        every = [
            (int(best[p, i]), int(best[p, j]))
            for best in ranked
            for i, j in permutations(range(k), 2)
        ]
        found.append(list(dict.fromkeys(pair for pair in every if pair[0] != pair[1])))
    return found
