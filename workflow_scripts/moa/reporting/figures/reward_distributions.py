"""Joint reward distribution with marginals, MO-ODPO beside MI-EPO (figures 2b and 3b).

Colour is the preference vector. A dot is one response; an ellipse holds half of a normal
distribution with the covariance of its vector's rewards (its area grows with the root of that
vector's share of CRD, the determinant); a cross is the mean. The curves on top and on the right are
kernel density estimates. All runs share their axes. Three objectives: a row per pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D

from moa.reporting.figures import clouds, footnotes, style
from moa.reporting.figures.shown import compared, drawn

NEEDS = ("scores",)
SHOWN = 150  # dots per vector and panel at most


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], scores: pd.DataFrame, *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide; `scores` has a row per run x seed x vector x prompt."""
    objectives = list(metrics["objectives"])
    columns = [f"norm_{objective}" for objective in objectives]
    names = compared(metrics)
    if not names:
        return style.empty_figure(width, "No run follows preference vectors.")
    vectors = _subset(metrics["vectors"])
    colours = style.weight_colours([metrics["vectors"][v] for v in vectors])
    rows = scores[scores["run"].isin(names) & scores["vector"].isin(vectors)]
    rows = rows[np.isfinite(rows[columns].to_numpy(dtype=float)).all(axis=1)]
    noise = {column: clouds.jitter(rows[column].to_numpy(dtype=float)) for column in columns}

    pairs = list(combinations(range(len(objectives)), 2))
    cells = _cells(len(pairs), len(names), width)
    rows_of_cells, columns_of_cells = cells[-1][-1][0] + 1, cells[-1][-1][1] + 1
    height = width / max(columns_of_cells, 1.3) * (0.86 if len(pairs) == 1 else 0.76)
    figure = style.new_figure(width, height * rows_of_cells)
    grid = figure.add_gridspec(
        2 * rows_of_cells,
        3 * columns_of_cells - 1,  # joint, marginal, gap
        height_ratios=[1, 5] * rows_of_cells,
        width_ratios=([5, 1, 0.2] * columns_of_cells)[:-1],
        wspace=0,
        hspace=0,
    )
    looks = style.looks(metrics["runs"])
    for i, pair in enumerate(pairs):
        tops, sides = [], []
        for j, name in enumerate(names):
            top, joint, side = _panel_group(figure, grid, *cells[i][j])
            for vector, colour in zip(vectors, colours, strict=True):
                chosen = rows[(rows["run"] == name) & (rows["vector"] == vector)]
                x, y = (chosen[columns[k]].to_numpy(dtype=float) for k in pair)
                jitter = [noise[columns[k]] for k in pair]
                clouds.draw(joint, np.c_[x, y], colour, jitter, dots=SHOWN)
                _draw_marginal(top, x, colour, "x")
                _draw_marginal(side, y, colour, "y")
            x, y = (rows[columns[k]].to_numpy(dtype=float) for k in pair)
            joint.set(xlim=clouds.limits(x), ylim=clouds.limits(y))
            joint.set(xlabel=style.axis_label(metrics, objectives[pair[0]]))
            if cells[i][j][1] == 0:
                joint.set(
                    ylabel=style.axis_label(
                        metrics, objectives[pair[1]], narrow=len(pairs) > 1 or width <= 5
                    )
                )
            else:
                joint.tick_params(labelleft=False)
            top.set_title(looks[name].label)
            tops.append(top)
            sides.append(side)
        _same_height(tops, sides)
    labels = [style.vector_label(metrics["vectors"][v]) for v in vectors]
    handles = [
        Line2D([], [], ls="", marker="o", color=colour, label=label)
        for colour, label in zip(colours, labels, strict=True)
    ]
    style.legend(figure, handles, title=f"w = {' / '.join(objectives)}", handlelength=1)
    footnotes.add(figure, _notes(metrics, rows, names, any(noise.values())))
    return figure


def _subset(vectors: list[list[float]], n: int = 5) -> list[int]:
    """Indices of about n vectors. Two objectives: even steps of w_1, both ends included.

    More: the vector nearest each corner of the simplex, and the most balanced one.
    """
    w = np.asarray(vectors, dtype=float)
    if w.shape[1] == 2:
        order = np.argsort(w[:, 0], kind="stable")
        steps = np.linspace(0, len(w) - 1, min(n, len(w))).round().astype(int)
        return [int(i) for i in order[steps]]
    picks = [*w.argmax(axis=0), w.max(axis=1).argmin()]
    return list(dict.fromkeys(int(i) for i in picks))


def _cells(pairs: int, runs: int, width: float) -> list[list[tuple[int, int]]]:
    """Row and column of each pair's and run's panel: runs side by side where there is room."""
    if width > 5:
        return [[(i, j) for j in range(runs)] for i in range(pairs)]
    return [[(i * runs + j, 0) for j in range(runs)] for i in range(pairs)]


def _panel_group(figure: Figure, grid: GridSpec, row: int, column: int) -> tuple[Axes, Axes, Axes]:
    joint = figure.add_subplot(grid[2 * row + 1, 3 * column])
    top = figure.add_subplot(grid[2 * row, 3 * column], sharex=joint)
    side = figure.add_subplot(grid[2 * row + 1, 3 * column + 1], sharey=joint)
    for axes in (top, side):
        axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
        axes.grid(False)
    top.spines["left"].set_visible(False)
    side.spines["bottom"].set_visible(False)
    return top, joint, side


def _draw_marginal(axes: Axes, values: np.ndarray, colour: str, along: str) -> None:
    """A density along "x" or "y"; rewards that are all but equal have none and get a bar."""
    if len(values) == 0:
        return
    if len(values) < 3 or values.std() < 1e-6:
        line = axes.axvline if along == "x" else axes.axhline
        line(float(values.mean()), color=colour, lw=1.5)
        return
    sns.kdeplot(**{along: values}, ax=axes, color=colour, lw=1.2)
    x, y = axes.lines[-1].get_xdata(), axes.lines[-1].get_ydata()
    fill = axes.fill_between if along == "x" else axes.fill_betweenx
    fill(*((x, y) if along == "x" else (y, x)), color=colour, alpha=0.12, lw=0)
    axes.set(xlabel="", ylabel="")


def _same_height(tops: list[Axes], sides: list[Axes]) -> None:
    """One density scale for all marginals of a kind; a lone spike may run off it."""
    for group, along in ((tops, 1), (sides, 0)):
        peaks = [
            float(np.max(line.get_data()[along]))
            for axes in group
            for line in axes.lines
            if len(np.atleast_1d(line.get_xdata())) > 2
        ]
        high = min(max(peaks), 3 * float(np.median(peaks))) if peaks else 1.0
        for axes in group:
            (axes.set_ylim if along else axes.set_xlim)(0, 1.05 * high)


def _notes(
    metrics: Mapping[str, Any], rows: pd.DataFrame, names: list[str], jittered: bool
) -> list[str]:
    text = footnotes.sample_size(metrics, names) + drawn(metrics, names)
    most = int(rows.groupby(["run", "vector"]).size().max()) if len(rows) else 0
    if most > SHOWN:
        text += f" Dots: {SHOWN} of the {most} responses per vector, drawn at random."
    if jittered:
        text += " Dots are jittered, as rewards lie on a coarse grid."
    text += " Ellipses hold half of a normal distribution with the same covariance; crosses: means."
    return [text]
