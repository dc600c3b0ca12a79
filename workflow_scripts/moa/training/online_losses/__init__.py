"""The losses of online preference optimisation: one file per loss, chosen by a method's `loss`.

A file offers `loss(policy_logps, ref_logps, rewards, weights, settings) -> LossOutput`. They are loaded by
name, so that a new one changes no key of the others.
"""

from __future__ import annotations


def module_name(loss: str) -> str:
    """The module that implements a loss."""
    return f"moa.training.online_losses.{loss}"
