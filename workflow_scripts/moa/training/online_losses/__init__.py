"""Losses of online training: one file per loss. `loss: some_name` means
`moa/training/online_losses/some_name.py`.

Each offers `loss`, an `OnlineLoss`. A run's loss is loaded by name, so that adding one changes no key of
another's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # planning asks for names only, and must not wait for torch
    import torch

    from moa.losses import LossOutput
    from moa.training.settings import OnlineStage


def module_name(loss: str) -> str:
    """The module that implements a loss."""
    return f"moa.training.online_losses.{loss}"


class OnlineLoss(Protocol):
    """From what a step sampled, for B prompts with two responses each, to what is minimised."""

    def __call__(
        self,
        policy_logps: torch.Tensor,
        ref_logps: torch.Tensor,
        rewards: torch.Tensor,
        weights: torch.Tensor,
        settings: OnlineStage,
    ) -> LossOutput:
        """policy_logps, ref_logps: (B, C, 2), summed log-probs of y1 and y2 under C conditions: w+ and,
        if beta_w > 0, w-. rewards: (B, 2, K), normalised. weights: (B, K), w+.
        """
        ...
