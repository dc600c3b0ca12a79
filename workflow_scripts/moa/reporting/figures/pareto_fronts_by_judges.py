"""The Pareto fronts of all runs by the judges, where the oracles' are what was trained for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from moa.reporting.figures import pareto_fronts, style
from moa.reporting.judged import views

NEEDS = ()


def draw(metrics: Mapping[str, Any], *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide; of a task without judges, a sentence."""
    *_, last = views(metrics)
    if last["by"] != "judges":
        return style.empty_figure(width, "The task has no judges.")
    return pareto_fronts.draw(last, width=width)
