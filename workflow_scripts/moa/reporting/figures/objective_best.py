"""The best mean reward per objective that each method reaches under any vector (figure 4b).

A marker is the highest mean normalised reward over a run's vectors, which is named on the right;
its bar is the bootstrap interval at that vector, small dots are single seeds there. A single-reward
expert counts for its own objective only, and the thin line through its marker is what the others
are to be held against. The dashed grey line is the best that any policy could do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moa.reporting import rewards
from moa.reporting.figures import footnotes, style
from moa.reporting.figures.shown import has_front

NEEDS = ()


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide: a panel per objective, a row per run."""
    objectives = metrics["objectives"]
    runs = metrics["runs"]
    looks = style.looks(runs)
    optimum = metrics.get("optimum")
    wide = width > 5
    height = 0.19 * len(looks) + (0.75 if wide else 0.6)
    figure = style.new_figure(width, height * (1 if wide else len(objectives)))
    shape = (1, len(objectives)) if wide else (len(objectives), 1)
    panels = figure.subplots(*shape, squeeze=False).flat
    for k, (axes, objective) in enumerate(zip(panels, objectives, strict=True)):
        axes.set_title(objective)
        for row, (name, look) in enumerate(looks.items()):
            _draw_run(axes, runs[name], look, k, row)
        if optimum:
            best = max(point[k] for point in optimum["points"])
            axes.axvline(best, **style.OPTIMUM.line(zorder=1.2))
        labels = [look.label for look in looks.values()] if k == 0 or not wide else []
        axes.set_yticks(range(len(looks)), labels or [""] * len(looks))
        axes.set_ylim(len(looks) - 0.5, -0.5)  # first run on top
        axes.tick_params(axis="y", length=0)
        axes.grid(False, axis="y")
        axes.margins(x=0.08)
        if wide or k == len(objectives) - 1:
            axes.set_xlabel(rewards.unit(metrics))
        place = {"transform": axes.transAxes, "fontsize": style.NOTE_SIZE, "color": "#555555"}
        axes.text(1.02, 1.0, "at w", va="bottom", **place)
    handles = [
        style.handle(look, label=f"{look.label}, own objective", **_REFERENCE)
        for name, look in looks.items()
        if not has_front(runs[name])
    ]
    if optimum:
        handles.append(style.handle(style.OPTIMUM))
    if handles:
        style.legend(figure, handles)
    footnotes.add(figure, _notes(metrics, looks))
    return figure


_REFERENCE: dict[str, Any] = {"marker": "", "linestyle": "-", "linewidth": 0.9}


def _best(run: Mapping[str, Any], k: int) -> int:
    """Index of the vector with the highest mean reward k; of expert k if they are experts."""
    rows = run["points"] if has_front(run) else run["vectors"]
    return int(np.argmax(np.asarray(rows, dtype=float)[:, k]))


def _draw_run(axes: Axes, run: Mapping[str, Any], look: style.Look, k: int, row: int) -> None:
    at = _best(run, k)
    value = run["points"][at][k]
    if not has_front(run):
        axes.axvline(value, **look.line(zorder=1.1, **_REFERENCE))
    seeds = run.get("seeds") or {}
    if len(seeds) > 1:
        dots = [seed["points"][at][k] for seed in seeds.values()]
        below = np.full(len(dots), row + 0.25)
        axes.plot(dots, below, ".", color=look.colour, ms=3.5, alpha=0.6, mew=0, zorder=2)
    if run.get("points_low") and run.get("points_high"):
        low, high = run["points_low"][at][k], run["points_high"][at][k]
        axes.hlines(row, low, high, color=look.colour, lw=1.5, zorder=3)
    mark = look.line(linestyle="", markersize=4, zorder=4)
    axes.plot(value, row, **(mark if has_front(run) else style.expert(look)))
    axes.text(
        1.02,
        row,
        style.vector_label(run["vectors"][at]),
        transform=axes.get_yaxis_transform(),
        fontsize=style.NOTE_SIZE,
        color=style.tint(look.colour, -0.3),
        va="center",
    )


def _notes(metrics: Mapping[str, Any], looks: Mapping[str, style.Look]) -> list[str]:
    runs = [metrics["runs"][name] for name in looks]
    text = footnotes.sample_size(metrics, list(looks))
    text += f" On the right: the vector (weights of {', '.join(metrics['objectives'])}) with the"
    text += " highest mean, picked on these very prompts."
    if any(run.get("points_low") for run in runs):
        text += " Bars: 95% bootstrap intervals over prompts at that vector."
    if any(len(run.get("seeds") or {}) > 1 for run in runs):
        text += " Small dots: single seeds at that vector."
    return [text, *footnotes.warnings(metrics, looks)]
