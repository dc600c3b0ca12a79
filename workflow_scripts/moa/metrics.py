"""Metrics of a policy conditioned on preference vectors (paper, appendix C).

Rewards are normalised and higher is better. Shapes: M vectors, P prompts, k objectives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def hypervolume(points: Any, reference: Any) -> float:
    """Volume dominated by `points` (n, k) above `reference` (k,), for maximisation.

    Points that do not beat the reference in every objective add nothing; no points give 0.
    Source: pymoo's HV, which minimises, so both are negated.
    """
    from pymoo.indicators.hv import HV

    ref = np.asarray(reference, dtype=np.float64)
    pts = np.asarray(points, dtype=np.float64)
    if pts.size == 0:
        return 0.0
    if pts.ndim != 2 or pts.shape[1:] != ref.shape:
        raise ValueError(f"points {pts.shape} and reference {ref.shape}: expected (n, k) and (k,)")
    if not np.isfinite(pts).all() or not np.isfinite(ref).all():
        raise ValueError("hypervolume: points and reference must be finite")
    pts = pts[(pts > ref).all(axis=1)]
    if len(pts) == 0:
        return 0.0
    return float(HV(ref_point=-ref)(-pts))


def mean_inner_product(weights: Any, rewards: Any) -> float:
    """MIP, equation 14: the mean over samples of w . s; both (n, k)."""
    w, r = np.asarray(weights, dtype=np.float64), np.asarray(rewards, dtype=np.float64)
    if w.shape != r.shape or w.ndim != 2 or len(w) == 0:
        raise ValueError(f"weights {w.shape} and rewards {r.shape}: both must be (n, k), n > 0")
    return float((w * r).sum(axis=1).mean())


def conditional_reward_dispersion(groups: Sequence[Any]) -> float:
    """CRD, equations 15-17: the mean over conditions of det(cov(s | w)), ddof = 1.

    groups: one (n_w, k) array per condition. Raises: ValueError if one has no more than k rows: their
    covariance has no full rank, so its determinant is 0 whatever they are.
    """
    if len(groups) == 0:
        raise ValueError("conditional_reward_dispersion: no groups")
    determinants = []
    for i, group in enumerate(groups):
        rows = np.asarray(group, dtype=np.float64)
        if rows.ndim != 2 or len(rows) <= rows.shape[1]:
            raise ValueError(
                f"group {i} has shape {rows.shape}: CRD of k rewards needs k + 1 rows or more"
            )
        determinants.append(np.linalg.det(np.atleast_2d(np.cov(rows, rowvar=False, ddof=1))))
    return float(np.mean(determinants))


def control(weights: Any, points: Any) -> np.ndarray:
    """Spearman correlation between w_k and the mean reward k over the vectors: (M, k) -> (k,).

    1 means that asking for more of an objective always gives more of it; 0 that w has no effect
    (constant rewards count as 0).
    """
    from scipy.stats import rankdata

    w, p = np.asarray(weights, dtype=np.float64), np.asarray(points, dtype=np.float64)
    if w.shape != p.shape or w.ndim != 2:
        raise ValueError(f"weights {w.shape} and points {p.shape}: both must be (M, k)")
    ranks_w, ranks_p = rankdata(w, axis=0), rankdata(p, axis=0)
    a, b = ranks_w - ranks_w.mean(axis=0), ranks_p - ranks_p.mean(axis=0)
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.divide((a * b).sum(axis=0), scale, out=np.zeros(w.shape[1]), where=scale > 0)


def decodability(logps: Any) -> float:
    """A lower bound of I(Y; W | X) in nats, from the policy's own likelihoods.

    logps: (P, M, M); entry [p, i, j] = log p(y_i | x_p, w_j), where y_i was sampled under w_i.
    The InfoNCE bound E log( p(y_i | w_i) / mean_j p(y_i | w_j) ): 0 when w is ignored, at most
    log M when every response gives its vector away.
    """
    scores = np.asarray(logps, dtype=np.float64)
    if scores.ndim != 3 or scores.shape[1] != scores.shape[2]:
        raise ValueError(f"logps has shape {scores.shape}, expected (P, M, M)")
    own = np.diagonal(scores, axis1=1, axis2=2)
    highest = scores.max(axis=2, keepdims=True)
    mean = highest[..., 0] + np.log(np.exp(scores - highest).mean(axis=2))
    return float((own - mean).mean())


def divergence(logps: Any, reference: Any, tokens: Any) -> tuple[float, float]:
    """How far a policy has moved from its reference, in nats per response and in nats per token.

    logps, reference: (P, M), log p of the responses sampled under each vector, by the policy and by its
    reference under the same vector. tokens: (P, M). The mean log-ratio, an estimate of the KL divergence
    of what is sampled, which a nucleus has cut to its most probable part. Per token it is 0 where all
    responses are empty.
    """
    ratios = np.asarray(logps, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    lengths = np.asarray(tokens, dtype=np.float64)
    if ratios.shape != lengths.shape or ratios.ndim != 2 or ratios.size == 0:
        raise ValueError(f"log-ratios {ratios.shape} and tokens {lengths.shape}: expected (P, M)")
    return float(ratios.mean()), float(ratios.sum() / max(lengths.sum(), 1.0))


def interquartile_mean(values: Any) -> float:
    """The mean of the middle half: a quarter of the values, rounded down, is left out at either end.

    Robust against single runs, and of more of them than a median. Source: Agarwal et al. 2021.
    Raises: ValueError without any value.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=None)
    if ordered.size == 0:
        raise ValueError("interquartile_mean: no values")
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())
