"""Betas of one scale, for responses of another length: docs/scale_model.md.

A beta multiplies a log-ratio that is summed over a response, so the same beta allows a short response as
many nats as a long one, and each of its tokens many times more. What is held fixed is beta x tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from moa.workflow.schema import PolicySettings

SUMMED = ("beta_c", "beta_w", "kl")  # settings that multiply a log-ratio summed over a response
SHOWN = 0.7  # the weight at which the optimum of the alignment loss is told


def factor(policy: PolicySettings) -> float:
    """What a beta of the config is multiplied by: reference_tokens / max_new_tokens, or 1 where betas are
    raw.
    """
    return 1.0 if policy.betas == "raw" else policy.reference_tokens / policy.max_new_tokens


def scaled(settings: Mapping[str, Any], policy: PolicySettings) -> dict[str, Any]:
    """Settings of a method as its stage gets them."""
    times = factor(policy)
    return {k: _short(v * times) if k in SUMMED else v for k, v in settings.items()}


def nats_per_token(beta_c: float, tokens: int) -> float:
    """How far the alignment loss asks two responses to be moved apart where two objectives of weights
    w = SHOWN and 1 - w disagree on them, per token: logit(w) / (beta_c x tokens).

    beta_c: as the stage gets it. tokens: of the longest response.
    """
    return math.log(SHOWN / (1 - SHOWN)) / (beta_c * tokens)


def of_run(told: Any, policy: PolicySettings) -> dict[str, Any]:
    """What a run's betas come to, for tables and figures; told: as its stage gets it, or None.

    nats_per_token: None without a beta_c, and with scalarised labels, of which a pair has one.
    """
    betas = {key: getattr(told, key) for key in SUMMED if hasattr(told, key)}
    per_objective = getattr(told, "labels", None) == "per_objective"
    per_token = nats_per_token(betas["beta_c"], policy.max_new_tokens) if per_objective else None
    return {"betas": betas, "nats_per_token": per_token}


def of_task(policy: PolicySettings) -> dict[str, Any]:
    """The rule's numbers, for tables and figures."""
    return {
        "betas": policy.betas,
        "factor": _short(factor(policy)),
        "reference_tokens": policy.reference_tokens,
        "max_new_tokens": policy.max_new_tokens,
    }


def _short(value: float) -> float:
    """Without the last digits that a product in binary adds: 1.6, not 1.6000000000000001."""
    return float(f"{value:.12g}")
