"""HV, MIP and CRD against KL, along beta_c, without the exploration term and with it.

A smaller beta_c lets a policy move further, and the term moves it further, too. Where both lines lie on
each other, the term does what a smaller beta_c would have done; where one lies above the other, it does
more, or less. Small dots are single seeds; points without the term are labelled by their beta_c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moa.reporting.figures import footnotes, style
from moa.reporting.figures.phase_diagram import along_beta_c
from moa.reporting.figures.shown import collapsed

NEEDS = ()
TICKS = (0, 0.25, 1, 2, 4, 8, 16, 32)  # nats
MEASURES = {"hv": "HV ↑", "mip": "MIP ↑", "crd": "CRD ↓"}


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide: of the compared methods' runs that differ in beta_c alone."""
    lines = along_beta_c(metrics)
    if not any(lines):
        return style.empty_figure(width, "No run has a beta_c.")
    runs, labels = metrics["runs"], metrics["labels"]
    names = [name for line in lines for name in line]
    looks = [style.METHODS[method] for method in metrics["compared"][:2]]
    figure = style.new_figure(width, 2.5 if width > 5 else 1.7 * len(MEASURES))
    shape = (1, len(MEASURES)) if width > 5 else (len(MEASURES), 1)
    panels = figure.subplots(*shape, squeeze=False).flat
    for axes, (measure, title) in zip(panels, MEASURES.items(), strict=True):
        axes.set(xlabel="KL to SFT, nats (square root)", ylabel=title)
        for look, line in zip(looks, lines, strict=True):
            _draw(axes, [runs[name] for name in line], measure, look)
        for name in lines[0]:
            _label(axes, runs[name], measure, looks[0])
        axes.set_xscale("function", functions=(_root, np.square))
        most = max(seed["kl"] or 0 for name in names for seed in runs[name]["seeds"].values())
        ticks = [tick for tick in TICKS if tick < max(1.3 * most, TICKS[2])]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.margins(0.1)
    handles = [
        style.handle(look, label=labels[method])
        for look, method in zip(looks, metrics["compared"][:2], strict=True)
    ]
    style.legend(figure, handles)
    text = footnotes.sample_size(metrics, names)
    text += " Lines join runs in the order of beta_c, which stands below the points without the term; with"
    text += (
        " it the same values follow each other, at one beta_w / beta_c. Small dots: single seeds."
    )
    if any(collapsed(runs[name]) for name in names):
        text += " Crossed out: collapsed runs, whose CRD is low because they always answer alike."
    drawn = style.looks({name: runs[name] for name in names})
    footnotes.add(figure, [text, *footnotes.warnings(metrics, drawn)])
    return figure


def _draw(axes: Axes, line: list[Mapping[str, Any]], measure: str, look: style.Look) -> None:
    x = [max(0.0, run["kl"]["mean"]) for run in line]
    axes.plot(x, [run[measure]["mean"] for run in line], **look.line(zorder=3))
    for run in line:
        if collapsed(run):
            at = run["kl"]["mean"], run[measure]["mean"]
            axes.plot(*at, "x", color=style.INK, ms=7, mew=1.3, zorder=5)
        seeds = [seed for seed in run["seeds"].values() if seed.get(measure) is not None]
        if len(seeds) > 1:
            points = np.array([[seed["kl"], seed[measure]] for seed in seeds])
            axes.plot(*points.T, ".", color=look.colour, ms=3, alpha=0.6, zorder=2)


def _root(kl: np.ndarray) -> np.ndarray:
    """Of estimates, which may come out below 0: rewards go with the square root of KL near SFT."""
    return np.sqrt(np.maximum(kl, 0.0))


def _label(axes: Axes, run: Mapping[str, Any], measure: str, look: style.Look) -> None:
    axes.annotate(
        f"{run['betas']['beta_c']:.2g}",
        (run["kl"]["mean"], run[measure]["mean"]),
        xytext=(0, -10),
        textcoords="offset points",
        ha="center",
        fontsize=style.NOTE_SIZE,
        color=style.tint(look.colour, -0.3),
    )
