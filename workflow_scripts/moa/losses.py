"""The losses of the paper's equations 8-13, as pure tensor functions.

Shapes: B prompts, K objectives, two responses per prompt. Log-probabilities are sums over the
response's tokens. d(y|w) = log pi(y|x,w) - log pi_ref(y|x,w). Results are float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

TIES = ("skip", "first", "split")


@dataclass(frozen=True)
class LossOutput:
    """loss: scalar, the mean over prompts of alignment + exploration; both terms are (B,)."""

    loss: torch.Tensor
    alignment: torch.Tensor
    exploration: torch.Tensor


def mi_epo_loss(
    policy_logps: torch.Tensor,
    ref_logps: torch.Tensor,
    policy_logps_neg: torch.Tensor | None,
    ref_logps_neg: torch.Tensor | None,
    rewards: torch.Tensor,
    weights: torch.Tensor,
    *,
    beta_c: float,
    beta_w: float,
    ties: str = "skip",
    stop_gradient: bool = True,
) -> LossOutput:
    """MI-EPO, equation 13: sum_k w_k L_YC^k + L_YW. With beta_w = 0 it is MO-ODPO (eq. 5).

    policy_logps, ref_logps: (B, 2), log-probs of y1 and y2 under w+.
    policy_logps_neg, ref_logps_neg: (B, 2), the same under w-; None is allowed if beta_w == 0.
    rewards: (B, 2, K), higher is better. weights: (B, K), the w+ of the prompt.
    ties: what an objective that rates y1 and y2 alike contributes: `skip` nothing, `first` the
    loss with y1 as winner, `split` half of each ordering.
    stop_gradient: equation 13's sg(); False lets the exploration term raise d(y|w+) too.
    Raises: ValueError naming the argument whose shape is wrong or which holds a NaN.
    """
    _check(policy_logps, ref_logps, rewards, weights)
    delta = policy_logps.float() - ref_logps.detach().float()
    alignment = (weights.float() * _dpo(delta, rewards, beta_c, ties)).sum(dim=1)
    if beta_w == 0:
        exploration = torch.zeros_like(alignment)
    else:
        if policy_logps_neg is None or ref_logps_neg is None:
            raise ValueError(f"beta_w is {beta_w}: policy_logps_neg and ref_logps_neg are needed")
        _check_tensor("policy_logps_neg", policy_logps_neg, policy_logps.shape)
        _check_tensor("ref_logps_neg", ref_logps_neg, policy_logps.shape)
        delta_neg = policy_logps_neg.float() - ref_logps_neg.detach().float()
        # Equation 13's sg(): the gradient reaches the policy through w- only.
        delta_pos = delta.detach() if stop_gradient else delta
        exploration = -F.logsigmoid(beta_w * (delta_pos - delta_neg)).mean(dim=1)
    return LossOutput((alignment + exploration).mean(), alignment, exploration)


def scalarised_dpo_loss(
    policy_logps: torch.Tensor,
    ref_logps: torch.Tensor,
    rewards: torch.Tensor,
    weights: torch.Tensor,
    *,
    beta_c: float,
    ties: str = "skip",
) -> LossOutput:
    """MO-ODPO with one pair per prompt, labelled by the scalar sum_k w_k r_k.

    Shapes and errors as in `mi_epo_loss`; rewards should be normalised, since their scales mix.
    """
    _check(policy_logps, ref_logps, rewards, weights)
    delta = policy_logps.float() - ref_logps.detach().float()
    scalar = (rewards.float() * weights.float()[:, None, :]).sum(dim=2, keepdim=True)
    alignment = _dpo(delta, scalar, beta_c, ties)[:, 0]
    return LossOutput(alignment.mean(), alignment, torch.zeros_like(alignment))


def _dpo(delta: torch.Tensor, rewards: torch.Tensor, beta_c: float, ties: str) -> torch.Tensor:
    """Equation 8 for every objective: delta (B, 2), rewards (B, 2, K) -> (B, K)."""
    if ties not in TIES:
        raise ValueError(f"ties is {ties!r}: choose one of {', '.join(TIES)}")
    margin = beta_c * (delta[:, 0] - delta[:, 1])[:, None]
    first_wins, second_wins = -F.logsigmoid(margin), -F.logsigmoid(-margin)
    first, second = rewards[:, 0], rewards[:, 1]
    tied = {
        "skip": torch.zeros_like(first_wins),
        "first": first_wins,
        "split": (first_wins + second_wins) / 2,
    }[ties]
    return torch.where(first > second, first_wins, torch.where(first < second, second_wins, tied))


def _check(
    policy_logps: torch.Tensor,
    ref_logps: torch.Tensor,
    rewards: torch.Tensor,
    weights: torch.Tensor,
) -> None:
    if policy_logps.ndim != 2 or policy_logps.shape[1] != 2:
        raise ValueError(f"policy_logps has shape {tuple(policy_logps.shape)}, expected (B, 2)")
    batch = policy_logps.shape[0]
    if rewards.ndim != 3 or rewards.shape[:2] != (batch, 2):
        raise ValueError(f"rewards has shape {tuple(rewards.shape)}, expected ({batch}, 2, K)")
    _check_tensor("policy_logps", policy_logps, (batch, 2))
    _check_tensor("ref_logps", ref_logps, (batch, 2))
    _check_tensor("weights", weights, (batch, rewards.shape[2]))
    _check_tensor("rewards", rewards, rewards.shape)


def _check_tensor(name: str, tensor: torch.Tensor, shape: tuple[int, ...] | torch.Size) -> None:
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, expected {tuple(shape)}")
    if torch.isnan(tensor).any():
        raise ValueError(f"{name} holds NaN")
