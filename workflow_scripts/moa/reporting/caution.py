"""What figures, tables and explorers say of a run that is too small to tell anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FEW = 30  # test prompts; with fewer, methods differ by which prompts were drawn


def caution_notes(metrics: Mapping[str, Any]) -> list[str]:
    """One note if there are few test prompts. metrics: of a task."""
    if (prompts := metrics.get("prompts", FEW)) >= FEW:
        return []
    return [
        f"Of {prompts} test prompts: this shows that the machinery works, and nothing about the methods, "
        "whose order here is chance."
    ]
