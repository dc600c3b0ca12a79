"""What is shown of the runs: which of them, and which parts of their training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def has_front(run: Mapping[str, Any]) -> bool:
    """False for single-reward experts, which are K policies and not one that follows w."""
    return run.get("hv") is not None


def collapsed(run: Mapping[str, Any]) -> bool:
    """Whether a warning says that it always answers alike, or with nothing."""
    return any("collapsed" in warning for warning in run.get("warnings") or [])


def first_run(metrics: Mapping[str, Any], method: str) -> list[str]:
    """The run named like its method, or else that method's first; empty if it has none."""
    runs = metrics["runs"]
    return sorted(
        (name for name in runs if runs[name]["method"] == method), key=lambda name: name != method
    )[:1]


def compared(metrics: Mapping[str, Any]) -> list[str]:
    """One run of each compared method; without any, the first two runs that have a front.

    metrics["compared"]: the methods, in order.
    """
    found = [name for method in metrics["compared"] for name in first_run(metrics, method)]
    runs = metrics["runs"]
    return found or [name for name in runs if has_front(runs[name])][:2]


def drawn(metrics: Mapping[str, Any], names: Sequence[str]) -> str:
    """For a footnote: which these are, where they are no compared methods, but the first of more runs."""
    runs = sum(map(has_front, metrics["runs"].values()))
    if any(first_run(metrics, method) for method in metrics["compared"]) or len(names) == runs:
        return ""
    labels = [metrics["runs"][name].get("label") or name for name in names]
    return f" Drawn: {' and '.join(labels)}, the first of {runs} runs."


def share(progress: np.ndarray, n: int) -> np.ndarray:
    """Which of n equal parts of training, from 0, each progress (0 to 1) ends."""
    # 3 of 9 steps belong to the first third, whatever 3 / 9 * 3 is in floating point
    return np.clip(np.ceil(progress * n - 1e-9) - 1, 0, n - 1).astype(int)
