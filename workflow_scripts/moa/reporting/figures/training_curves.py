"""Mean reward of the sampled responses and losses over training, per method.

One panel per objective, one for each of the online methods' losses. A line is the mean over seeds,
its band reaches from the lowest to the highest seed. Steps are averaged within `BINS` equal parts
of training, so seeds need not have logged the same steps. An RLHF expert is in its own objective's
panel. What samples in rounds (RiC) is a marker per round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moa.reporting import rewards
from moa.reporting.figures import footnotes, style
from moa.reporting.figures.shown import has_front, share

NEEDS = ("curves",)
BINS = 40
LOSSES = {"loss_alignment": "alignment loss", "loss_exploration": "exploration loss"}


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], curves: pd.DataFrame, *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide; `curves` has a row per logged training step."""
    objectives = list(metrics["objectives"])
    titles = {f"norm_{objective}": objective for objective in objectives} | LOSSES
    shown = {column: _series(curves, column, objectives) for column in titles}
    shown = {column: series for column, series in shown.items() if series}
    names = {name for series in shown.values() for name, _ in series}
    looks = {k: v for k, v in style.looks(metrics["runs"]).items() if k in names}
    if not looks:
        return style.empty_figure(width, "No run logged rewards or losses while it trained.")

    columns = min(2 if len(objectives) == 2 else 3, len(shown)) if width > 5 else 1
    rows = -(-len(shown) // columns)
    figure = style.new_figure(width, rows * (1.85 if width > 5 else 1.6))
    grid = figure.add_gridspec(rows, columns)
    for i, (column, series) in enumerate(shown.items()):
        axes = figure.add_subplot(grid[i // columns, i % columns])
        axes.set_title(titles[column])
        if column not in LOSSES and i % columns == 0:
            axes.set_ylabel(rewards.unit(metrics))
        for nth, (name, look) in enumerate(looks.items()):
            for (run, rounds), table in series.items():
                if run == name:
                    _draw_series(axes, table, look, rounds, nth / len(looks))
        if column == "loss_exploration":
            axes.axhline(np.log(2), color=style.GREY, lw=0.8, ls=":", zorder=1.2)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.set_xlim(-0.02, 1.02)
        if i + columns >= len(shown):
            axes.set_xlabel("progress of training")
        else:
            axes.tick_params(labelbottom=False)
    lines = {run for series in shown.values() for run, rounds in series if not rounds}
    style.legend(
        figure,
        [
            style.handle(look, linestyle=look.linestyle if name in lines else "")
            for name, look in looks.items()
        ],
    )
    footnotes.add(figure, _notes(metrics, shown, looks))
    return figure


Series = dict[tuple[str, bool], pd.DataFrame]


def _series(curves: pd.DataFrame, column: str, objectives: list[str]) -> Series:
    """Per run: its values of a column as a table of x, mean, low and high over seeds.

    The key's second half tells whether rows of the table are rounds and not bins of progress.
    """
    found: Series = {}
    if column not in curves:
        return found
    rows = curves[np.isfinite(curves[column].to_numpy(dtype=float))]
    rounds = ~rows["part"].isin(["", *objectives])
    for (run, in_rounds), part in rows.groupby([rows["run"], rounds.rename("rounds")]):
        if in_rounds:
            if column not in LOSSES:
                found[run, True] = _rounds(part, column)
            continue
        slot = share(part["progress"].to_numpy(dtype=float), BINS)
        seeds = part.assign(slot=slot).groupby(["slot", "seed"])[["progress", column]].mean()
        found[run, False] = _over_seeds(seeds, column, "slot")
    return found


def _rounds(part: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rounds in the middle of equal shares of the axis: their steps have no common progress."""
    names = sorted(part["part"].unique())
    middle = {name: (i + 0.5) / len(names) for i, name in enumerate(names)}
    seeds = part.assign(progress=part["part"].map(middle))
    return _over_seeds(seeds.groupby(["part", "seed"])[["progress", column]].mean(), column, "part")


def _over_seeds(seeds: pd.DataFrame, column: str, by: str) -> pd.DataFrame:
    groups = seeds.groupby(level=by)
    summary = groups[column].agg(["mean", "min", "max"])
    return summary.assign(x=groups["progress"].mean()).sort_values("x")


def _draw_series(
    axes: Axes, table: pd.DataFrame, look: style.Look, rounds: bool, shift: float
) -> None:
    """`shift` (0 to 1) sets the markers of runs apart along the lines."""
    x = table["x"].to_numpy()
    if rounds:
        axes.vlines(x, table["min"], table["max"], color=look.colour, lw=1, zorder=3)
        axes.plot(x, table["mean"], **look.line(linestyle="", markersize=5.5, zorder=4))
        return
    every = max(len(x) // 5, 1)
    marks = slice(int(shift * every), None, every)
    axes.fill_between(x, table["min"], table["max"], color=look.colour, alpha=0.15, lw=0)
    axes.plot(x, table["mean"], **look.line(markevery=marks, zorder=3))


def _notes(
    metrics: Mapping[str, Any], shown: Mapping[str, Series], looks: Mapping[str, style.Look]
) -> list[str]:
    text = f"n = {footnotes.seeds(metrics, list(looks))}."
    text += " Rewards: mean of the responses sampled while training, to training prompts and, where"
    text += " a method takes preferences, under preferences drawn anew for each prompt."
    if any(len(metrics["runs"][name].get("seeds") or {}) > 1 for name in looks):
        text += " Lines: mean over seeds; bands: lowest to highest seed."
    text += f" Steps are averaged in {BINS} equal parts of training."
    alone = [look.label for name, look in looks.items() if not has_front(metrics["runs"][name])]
    text += "".join(f" {label}: each objective's own expert." for label in alone)
    in_rounds = {run for series in shown.values() for run, rounds in series if rounds}
    if in_rounds:
        text += f" {', '.join(look.label for name, look in looks.items() if name in in_rounds)}:"
        text += " one marker per online round, evenly spaced; nothing is sampled offline."
    if "loss_exploration" in shown:
        text += " Dotted: log 2, where preferences cannot be told apart."
    return [text]
