"""HV, MIP and CRD against the KL divergence from SFT, along beta_c, without the exploration term and with
it.

A smaller beta_c lets a policy move further, and the term moves it further, too. Where both lines lie on
each other, the term does what a smaller beta_c would have done; where one lies above the other, it does
more, or less. Small dots are single seeds; a point is labelled by its beta_c.
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

NEEDS = ()
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
        axes.set(xlabel="KL to SFT (nats per response)", ylabel=title)
        for look, line in zip(looks, lines, strict=True):
            _draw(axes, [runs[name] for name in line], measure, look)
        axes.set_xscale("log")
        axes.margins(0.1)
    handles = [
        style.handle(look, label=labels[method])
        for look, method in zip(looks, metrics["compared"][:2], strict=True)
    ]
    style.legend(figure, handles)
    text = footnotes.sample_size(metrics, names)
    text += (
        " Along a line beta_c falls from left to right, from the largest to the smallest of these;"
    )
    text += " with the term, beta_w / beta_c is the same at every point. Small dots: single seeds."
    footnotes.add(figure, [text])
    return figure


def _draw(axes: Axes, line: list[Mapping[str, Any]], measure: str, look: style.Look) -> None:
    x = [run["kl"]["mean"] for run in line]
    axes.plot(x, [run[measure]["mean"] for run in line], **look.line(zorder=3))
    for run in line:
        seeds = [seed for seed in run["seeds"].values() if seed.get(measure) is not None]
        if len(seeds) > 1:
            points = np.array([[seed["kl"], seed[measure]] for seed in seeds])
            axes.plot(*points.T, ".", color=look.colour, ms=3, alpha=0.6, zorder=2)
