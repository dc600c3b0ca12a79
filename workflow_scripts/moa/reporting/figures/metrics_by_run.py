"""HV, MIP, CRD and decodability of every run, with the spread over seeds.

A row per run, in the tables' order. The marker is the mean over seeds, small dots are single seeds,
bars 95% bootstrap intervals over prompts. What differs by more than its bar may still differ by less
than its seeds: both are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moa.reporting.figures import footnotes, style
from moa.reporting.figures.shown import has_front

NEEDS = ()
MEASURES = {"hv": "HV ↑", "mip": "MIP ↑", "crd": "CRD ↓", "decodability": "Decodability ↑"}
ROW = 0.24  # inches


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide: of all runs that have a front."""
    runs = {name: run for name, run in metrics["runs"].items() if has_front(run)}
    if not runs:
        return style.empty_figure(width, "No run has a front.")
    looks = style.looks(runs)
    measures = {
        key: title for key, title in MEASURES.items() if any(r.get(key) for r in runs.values())
    }
    columns = len(measures) if width > 5 else 2
    rows = -(-len(measures) // columns)
    figure = style.new_figure(width, rows * (ROW * len(runs) + 0.45))
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in panels.flat[len(measures) :]:
        axes.remove()
    for axes, (measure, title) in zip(panels.flat, measures.items(), strict=False):
        axes.set_title(title, fontsize=8.5 if width > 5 else 7.5)
        for row, (name, run) in enumerate(runs.items()):
            _draw_run(axes, row, run, looks[name], measure)
        optimum = (metrics.get("optimum") or {}).get(measure)
        if optimum is not None:
            axes.axvline(optimum, **style.OPTIMUM.line(zorder=1.2))
        axes.grid(False, axis="y")
        axes.tick_params(left=False)
        axes.margins(x=0.1)
    panels[0, 0].set_yticks(range(len(runs)), [looks[name].label for name in runs])
    panels[0, 0].set_ylim(len(runs) - 0.5, -0.5)
    if metrics.get("optimum"):
        style.legend(figure, [style.handle(style.OPTIMUM)])
    footnotes.add(figure, _notes(metrics, looks))
    return figure


def _draw_run(axes: Axes, row: int, run: Mapping[str, Any], look: style.Look, measure: str) -> None:
    found = run.get(measure)
    if not found:  # nothing tells it
        axes.text(0.5, row, "–", transform=axes.get_yaxis_transform(), ha="center", va="center")
        return
    seeds = [seed[measure] for seed in run["seeds"].values() if seed.get(measure) is not None]
    if len(seeds) > 1:
        places = np.full(len(seeds), row + 0.25)
        axes.plot(seeds, places, ".", color=look.colour, ms=3, alpha=0.7)
    if found.get("low") is not None and found.get("high") is not None:
        axes.hlines(row, found["low"], found["high"], color=look.colour, lw=1.5, zorder=3)
    axes.plot(found["mean"], row, **look.line(linestyle="", zorder=4))


def _notes(metrics: Mapping[str, Any], looks: Mapping[str, style.Look]) -> list[str]:
    text = footnotes.sample_size(metrics, list(looks))
    text += " Arrows: the better direction. Bars: 95% bootstrap intervals over prompts."
    text += " Small dots: single seeds."
    if any(metrics["runs"][name].get("decodability") for name in looks):
        text += f" Decodability in nats, at most {np.log(len(metrics['vectors'])):.2f}."
    return [text, *footnotes.warnings(metrics, looks)]
