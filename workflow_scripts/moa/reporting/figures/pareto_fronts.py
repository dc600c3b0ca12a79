"""Pareto fronts of all runs, each point labelled by its preference vector (figures 2a and 3a).

A point is the mean normalised reward over the test prompts and seeds under one vector. Pale
ellipses reach from the low to the high end of its bootstrap interval, thin lines are single seeds,
and the dashed grey line is the best front there is, where the world is small enough to know it.
Single-reward experts are lone markers, labelled by the unit vector of their objective. With three
objectives there is one panel per pair of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from moa.reporting.figures import footnotes, style
from moa.reporting.figures.placing import Label, place
from moa.reporting.figures.shown import has_front

NEEDS = ()
Pair = tuple[int, int]


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide."""
    objectives = metrics["objectives"]
    looks = style.looks(metrics["runs"])
    pairs = list(combinations(range(len(objectives)), 2))
    figure, panels = _panels(len(pairs), width)
    for axes, pair in zip(panels, pairs, strict=True):
        x, y = (style.axis_label(metrics, objectives[k], narrow=len(pairs) > 1) for k in pair)
        axes.set(xlabel=x, ylabel=y)
        _draw_optimum(axes, metrics.get("optimum"), pair)
        for name, look in looks.items():
            _draw_run(axes, metrics["runs"][name], look, pair)
        axes.margins(0.07)
    what = "By the judges" if metrics.get("by") == "judges" else "Pareto fronts"
    panels[0].set_title(f"{what}: {metrics['task']} ({metrics['config']})")
    handles = [
        style.handle(look, **({} if has_front(metrics["runs"][name]) else style.expert(look)))
        for name, look in looks.items()
    ]
    if metrics.get("optimum"):
        handles.append(style.handle(style.OPTIMUM))
    style.legend(figure, handles)
    footnotes.add(figure, _notes(metrics, looks))

    style.settle(figure)  # labels are placed in pixels
    for axes, pair in zip(panels, pairs, strict=True):
        axes.autoscale(False)
        _label_points(axes, metrics, looks, pair)
    return figure


def _panels(n: int, width: float) -> tuple[Figure, list[Axes]]:
    if n == 1:
        figure = style.new_figure(width, (0.54 if width > 5 else 0.8) * width)
        return figure, [figure.add_subplot()]
    rows, columns = (-(-n // 3), 3) if width > 5 else (n, 1)
    figure = style.new_figure(width, rows * width / columns * (1.05 if columns > 1 else 0.7))
    grid = figure.add_gridspec(rows, columns)
    return figure, [figure.add_subplot(grid[i // columns, i % columns]) for i in range(n)]


def _notes(metrics: Mapping[str, Any], looks: Mapping[str, style.Look]) -> list[str]:
    runs = [metrics["runs"][name] for name in looks]
    text = footnotes.sample_size(metrics, list(looks))
    text += f" Labels: weights of {', '.join(metrics['objectives'])}, where there is room."
    if any(run.get("points_low") for run in runs):
        text += " Ellipses: 95% bootstrap intervals over prompts."
    two = len(metrics["objectives"]) == 2
    if any(len(run.get("seeds") or {}) > 1 for run in runs):
        text += " Thin lines: single seeds." if two else " Small dots: single seeds."
    if not two:
        text += " Lines join the points that no other beats in both objectives of a panel."
    if not all(has_front(run) for run in runs):
        text += " Unjoined markers: one policy per objective."
    return [text, *footnotes.warnings(metrics, looks)]


def _line(points: np.ndarray, in_order: bool) -> np.ndarray:
    """What to join: all points in the vectors' order, or else the projection's own front."""
    if in_order:
        return points
    ranked = points[np.lexsort((-points[:, 1], -points[:, 0]))]
    best = np.maximum.accumulate(ranked[:, 1])
    return ranked[np.r_[True, ranked[1:, 1] > best[:-1]]]


def _project(rows: Any, pair: Pair) -> np.ndarray:
    return np.asarray(rows, dtype=float)[:, list(pair)]


def _draw_optimum(axes: Axes, optimum: Mapping[str, Any] | None, pair: Pair) -> None:
    if not optimum:
        return
    two = len(optimum["points"][0]) == 2
    front = _project(optimum["front"] if two and optimum.get("front") else optimum["points"], pair)
    look = style.OPTIMUM
    axes.plot(*_line(front, two).T, **look.line(zorder=1.2))
    axes.plot(*_project(optimum["points"], pair).T, ".", color=look.colour, ms=3, zorder=1.3)


def _draw_run(axes: Axes, run: Mapping[str, Any], look: style.Look, pair: Pair) -> None:
    points = _project(run["points"], pair)
    two, joined = points.shape[1] == len(run["points"][0]), has_front(run)
    seeds = run.get("seeds") or {}
    for seed in seeds.values() if len(seeds) > 1 else ():
        shape = {"lw": 0.5} if two and joined else {"ls": "", "marker": ".", "ms": 2}
        axes.plot(
            *_project(seed["points"], pair).T, color=look.colour, alpha=0.35, zorder=2, **shape
        )
    if run.get("points_low") and run.get("points_high"):
        low, high = _project(run["points_low"], pair), _project(run["points_high"], pair)
        centres, sizes = (low + high) / 2, high - low
        apart = np.abs(centres[:, None] - centres)
        crowd = (apart <= (sizes[:, None] + sizes) / 2).all(axis=2).sum(axis=1)
        for centre, size, n in zip(centres, sizes, crowd, strict=True):
            alpha = 0.25 / (1 + n)  # paler where many lie on each other
            axes.add_patch(Ellipse(centre, *size, fc=look.colour, alpha=alpha, lw=0, zorder=1.5))
    if joined:
        axes.plot(*_line(points, two).T, **look.line(marker="", zorder=3))
    axes.plot(*points.T, **(look.line(linestyle="", zorder=4) if joined else style.expert(look)))


def _wanted(
    run: Mapping[str, Any], at: np.ndarray, colour: str, pair: Pair, markers: np.ndarray, px: float
) -> list[tuple[int, Label]]:
    """Labels of one run and their ranks: the corners of the simplex, its middle, all the rest.

    The rest is left out with three objectives, and where another marker is close by. Experts are
    all corners.
    """
    vectors = np.asarray(run["vectors"], dtype=float)
    two, one_policy = vectors.shape[1] == 2, has_front(run)
    if one_policy and np.ptp(at, axis=0).max() < 14 * px:
        return [(0, Label("all w", at.mean(axis=0), colour, True))]
    rank = np.full(len(vectors), (2 if two else 3) if one_policy else 0)
    if one_policy:
        rank[np.argmin(vectors.max(axis=1))] = 1
        rank[vectors[:, list(pair)].argmax(axis=0)] = 0
    wanted = []
    for point, vector, r in zip(at, vectors, rank, strict=True):
        alone = (np.hypot(*(markers - point).T) < 9 * px).sum() == 1
        if r < 2 or (r == 2 and alone):
            needed = bool(r == 0 or (r == 1 and two))
            wanted.append((int(r), Label(style.vector_label(vector), point, colour, needed)))
    return wanted


def _label_points(
    axes: Axes, metrics: Mapping[str, Any], looks: Mapping[str, style.Look], pair: Pair
) -> None:
    px = axes.figure.dpi / 72  # pixels per point
    two = len(metrics["objectives"]) == 2
    runs = {name: metrics["runs"][name] for name in looks}
    points = {name: _project(run["points"], pair) for name, run in runs.items()}
    at = {name: axes.transData.transform(rows) for name, rows in points.items()}
    markers = np.concatenate(list(at.values()))
    lines = [
        axes.transData.transform(_line(points[name], two))
        for name, run in runs.items()
        if has_front(run)
    ]
    ranked = [
        item
        for name, look in looks.items()
        for item in _wanted(runs[name], at[name], style.tint(look.colour, -0.3), pair, markers, px)
    ]
    labels = [label for _, label in sorted(ranked, key=lambda item: item[0])]
    place(axes, labels, markers, lines, patience=50.0 if two else 15.0)
