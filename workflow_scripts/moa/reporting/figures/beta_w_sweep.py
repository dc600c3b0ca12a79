"""HV, MIP, CRD and decodability against beta_w, the weight of the exploration term.

Every value of beta_w has the same room on the axis, so 0 (MO-ODPO) stands beside the smallest. The
line joins means over seeds, small dots are single seeds, bars 95% bootstrap intervals over prompts.
Collapsed runs are crossed out in a grey band: a policy that always answers the same has the best
CRD there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from moa.reporting.figures import footnotes, style
from moa.reporting.figures.shown import collapsed, has_front

NEEDS = ()
MEASURES = {
    "hv": "HV (↑ better)",
    "mip": "MIP (↑ better)",
    "crd": "CRD (↓ better)",
    "decodability": "Decodability, nats (↑ better)",
}


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide: of all runs that have a beta_w and a front."""
    runs = {
        name: run
        for name, run in metrics["runs"].items()
        if run.get("beta_w") is not None and has_front(run)
    }
    if not runs:
        return style.empty_figure(width, "No run has a beta_w.")
    values = sorted({run["beta_w"] for run in runs.values()})
    places = _places(runs, values)
    columns = 2 if width > 5 else 1
    figure = style.new_figure(width, (4 / columns) * (1.75 if width > 5 else 1.5))
    panels = figure.subplots(4 // columns, columns, sharex=True, squeeze=False)
    for axes, (measure, title) in zip(panels.flat, MEASURES.items(), strict=True):
        axes.set_title(title)
        for name, run in runs.items():
            if collapsed(run):
                middle = round(places[name])
                axes.axvspan(middle - 0.45, middle + 0.45, color=style.BAND, lw=0, zorder=0.5)
        _draw_measure(axes, runs, places, measure)
        optimum = (metrics.get("optimum") or {}).get(measure)
        if optimum is not None:
            axes.axhline(optimum, **style.OPTIMUM.line(zorder=1.2))
        axes.set_xlim(-0.5, len(values) - 0.5)
        axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
        axes.grid(False, axis="x")
        axes.margins(y=0.08)
    for axes in panels[-1]:
        axes.set_xlabel("beta_w, as given (evenly spaced)")
    style.legend(figure, _handles(metrics, runs))
    footnotes.add(figure, _notes(metrics, runs))
    return figure


def _look(name: str, run: Mapping[str, Any]) -> style.Look:
    """Runs that differ by beta_w alone look the same: the axis tells them apart."""
    return style.plain_look(name, run["method"]) or style.OTHERS[0]


def _places(runs: Mapping[str, Any], values: list[float]) -> dict[str, float]:
    """Where on the x axis each run stands: at its beta_w, beside others of the same beta_w."""
    places: dict[str, float] = {}
    for i, value in enumerate(values):
        # what is named like its method first
        same = sorted(
            (name for name, run in runs.items() if run["beta_w"] == value),
            key=lambda name: (name != runs[name]["method"], name),
        )
        step = min(0.2, 0.8 / len(same))
        places |= {name: i + step * (n - (len(same) - 1) / 2) for n, name in enumerate(same)}
    return dict(sorted(places.items(), key=lambda item: item[1]))


def _draw_measure(
    axes: Axes, runs: Mapping[str, Any], places: Mapping[str, float], measure: str
) -> None:
    line: dict[int, tuple[float, float]] = {}  # the first run of each beta_w is on it
    for name, x in places.items():
        run = runs[name]
        look = _look(name, run)
        found = run.get(measure)
        if not found:
            continue
        line.setdefault(round(x), (x, found["mean"]))
        seeds = [seed.get(measure) for seed in run["seeds"].values()]
        if len(seeds) > 1:
            shown = np.array([value for value in seeds if value is not None], dtype=float)
            axes.plot(np.full(len(shown), x + 0.12), shown, ".", color=look.colour, ms=3, alpha=0.6)
        if found.get("low") is not None and found.get("high") is not None:
            axes.vlines(x, found["low"], found["high"], color=look.colour, lw=1.3, zorder=3)
        axes.plot(x, found["mean"], **look.line(linestyle="", zorder=4))
        if collapsed(run):
            axes.plot(x, found["mean"], "x", color=style.INK, ms=7, mew=1.3, zorder=5)
    if line:
        last = list(places)[-1]  # the largest beta_w: a run of the method that is swept
        colour = _look(last, runs[last]).colour
        axes.plot(*np.array(list(line.values())).T, color=colour, lw=1, alpha=0.6, zorder=2)


def _handles(metrics: Mapping[str, Any], runs: Mapping[str, Any]) -> list[Any]:
    of_methods = {run["method"]: _look(name, run) for name, run in runs.items()}
    handles: list[Any] = [
        style.handle(look, label=metrics["labels"].get(method, method), linestyle="")
        for method, look in of_methods.items()
    ]
    if any(collapsed(run) for run in runs.values()):
        handles.append(Patch(color=style.BAND, label="collapsed"))
    if metrics.get("optimum"):
        handles.append(style.handle(style.OPTIMUM))
    return handles


def _notes(metrics: Mapping[str, Any], runs: Mapping[str, Any]) -> list[str]:
    text = footnotes.sample_size(metrics, list(runs))
    if any(
        run[key] and run[key].get("low") is not None for run in runs.values() for key in MEASURES
    ):
        text += " Bars: 95% bootstrap intervals over prompts."
    if any(len(run["seeds"]) > 1 for run in runs.values()):
        text += " Small dots: single seeds."
    text += f" Decodability is at most log {len(metrics['vectors'])} ="
    text += f" {np.log(len(metrics['vectors'])):.2f}."
    if any(collapsed(run) for run in runs.values()):
        text += " Crossed out: collapsed runs, whose CRD is low because they always answer alike."
    looks = dict(sorted(style.looks(runs).items(), key=lambda item: runs[item[0]]["beta_w"]))
    return [text, *footnotes.warnings(metrics, looks)]
