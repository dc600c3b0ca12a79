"""What the betas of a task's runs come to, as a sentence below tables and figures: docs/scale_model.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def sentence(metrics: Mapping[str, Any]) -> str:
    """Empty where no run has any."""
    runs = metrics["runs"].values()
    found: dict[str, set[float]] = {}
    for run in runs:
        for name, value in run["betas"].items():
            found.setdefault(name, set()).add(value)
    if not found:
        return ""
    values = ", ".join(f"{name} {_range(values)}" for name, values in sorted(found.items()))
    rates = {run["nats_per_token"] for run in runs if run["nats_per_token"] is not None}
    rate = (
        f" At w = 0.7 the alignment loss is least at {_range(rates)} nats per token."
        if rates
        else ""
    )
    return f"{_rule(metrics['similarity'])}: {values}.{rate}"


def _rule(of: Mapping[str, Any]) -> str:
    if of["betas"] == "raw":
        return f"Betas raw, for responses of {of['max_new_tokens']} tokens"
    if of["factor"] == 1:
        return f"Betas for responses of {of['max_new_tokens']} tokens"
    return (
        f"Betas x {of['factor']:g}, from responses of {of['reference_tokens']} tokens to "
        f"{of['max_new_tokens']}"
    )


def _range(values: set[float]) -> str:
    """`0.1 to 1.6`, or the one value."""
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} to {high}"
