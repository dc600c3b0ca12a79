"""What the oracles find of each run and what the judges find, against how far it has moved from SFT.

Where runs that have moved further get better by the oracles that trained them and worse by the judges,
they are over-optimised. A distance that is there at SFT already, or a gain of which the judges see half,
is none. Filled markers are the oracles', hollow ones the judges', and a bar joins the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moa.reporting.figures import footnotes, style
from moa.reporting.figures.shown import has_front

NEEDS = ()
MEASURES = {"hv": "HV ↑", "mip": "MIP ↑"}


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide: of all runs that have a front, of a task that has judges."""
    fronts = {name: run for name, run in metrics["runs"].items() if has_front(run)}
    runs = {name: run for name, run in fronts.items() if run["kl"]}
    judged = metrics["judged"]
    if not runs or not judged:
        return style.empty_figure(width, "The task has no judges, or no run whose KL is known.")
    looks = style.looks(runs)
    figure = style.new_figure(width, 2.6 if width > 5 else 1.9 * len(MEASURES))
    shape = (1, len(MEASURES)) if width > 5 else (len(MEASURES), 1)
    panels = figure.subplots(*shape, squeeze=False).flat
    for axes, (measure, title) in zip(panels, MEASURES.items(), strict=True):
        axes.set(xlabel="KL to SFT (nats per response)", ylabel=title)
        for name, look in looks.items():
            _draw_run(axes, runs[name], judged["runs"][name], measure, look)
        axes.margins(0.08)
    handles = [style.handle(look) for look in looks.values()]
    style.legend(figure, handles)
    text = footnotes.sample_size(metrics, list(looks))
    text += " Filled: by the oracles, which trained. Hollow: by the judges, which did not. A line"
    text += " joins the two of a run. Thin bars: 95% bootstrap intervals over prompts."
    if left := [run["label"] for name, run in fronts.items() if name not in runs]:
        text += f" Not drawn, since nothing tells their KL: {', '.join(left)}."
    footnotes.add(figure, [text, *footnotes.warnings(metrics, looks)])
    return figure


def _draw_run(
    axes: Axes,
    run: Mapping[str, Any],
    judged: Mapping[str, Any],
    measure: str,
    look: style.Look,
) -> None:
    x = run["kl"]["mean"]
    ends = [found[measure]["mean"] for found in (run, judged)]
    axes.plot([x, x], ends, color=look.colour, lw=2.2, alpha=0.35, zorder=2)
    for found in (run, judged):
        low, high = found[measure]["low"], found[measure]["high"]
        axes.vlines(x, low, high, color=look.colour, lw=0.8, zorder=3)
    plain = look.line(linestyle="", markeredgewidth=1.0, markeredgecolor=look.colour)
    axes.plot(x, ends[1], **{**plain, "markerfacecolor": "white", "zorder": 4})
    axes.plot(x, ends[0], **{**plain, "markerfacecolor": look.colour, "zorder": 5})
