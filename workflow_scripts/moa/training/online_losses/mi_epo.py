"""MI-EPO, equation 13; with beta_w = 0 it is MO-ODPO, per objective or scalarised."""

from __future__ import annotations

import torch

from moa.losses import LossOutput, mi_epo_loss, scalarised_dpo_loss
from moa.training.settings import OnlineStage


def loss(
    policy_logps: torch.Tensor,
    ref_logps: torch.Tensor,
    rewards: torch.Tensor,
    weights: torch.Tensor,
    settings: OnlineStage,
) -> LossOutput:
    """*_logps: (B, C, 2), C is 2 (w+, w-) or 1; rewards: (B, 2, K); weights: (B, K), w+."""
    pos, ref_pos = policy_logps[:, 0], ref_logps[:, 0]
    if settings.labels == "scalarised":
        return scalarised_dpo_loss(
            pos, ref_pos, rewards, weights, beta_c=settings.beta_c, ties=settings.ties
        )
    explores = policy_logps.shape[1] > 1
    return mi_epo_loss(
        pos,
        ref_pos,
        policy_logps[:, 1] if explores else None,
        ref_logps[:, 1] if explores else None,
        rewards,
        weights,
        beta_c=settings.beta_c,
        beta_w=settings.beta_w,
        ties=settings.ties,
        stop_gradient=settings.stop_gradient,
    )
