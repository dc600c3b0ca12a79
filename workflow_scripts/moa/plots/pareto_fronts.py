"""Pareto fronts of all runs, each point labelled by its preference vector (figures 2a and 3a).

A point is the mean normalised reward over the test prompts and seeds under one vector. Pale
ellipses reach from the low to the high end of its bootstrap interval, thin lines are single seeds,
and the dashed grey line is the best front there is, where the world is small enough to know it.
With three objectives there is one panel per pair of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from moa.plots import style

Pair = tuple[int, int]


@mpl.rc_context(style.RC)
def draw(
    metrics: Mapping[str, Any], scores: pd.DataFrame | None = None, *, width: float = style.PAGE
) -> Figure:
    """The figure, `width` inches wide. All it shows is in `metrics`; `scores` is not read."""
    objectives = metrics["objectives"]
    looks = style.looks(metrics["runs"])
    pairs = list(combinations(range(len(objectives)), 2))
    figure, panels = _panels(len(pairs), width)
    for axes, pair in zip(panels, pairs, strict=True):
        x, y = (style.axis_label(objectives[k], narrow=len(pairs) > 1) for k in pair)
        axes.set(xlabel=x, ylabel=y)
        _draw_optimum(axes, metrics.get("optimum"), pair)
        for name, look in looks.items():
            _draw_run(axes, metrics["runs"][name], look, pair)
        axes.margins(0.07)
    panels[0].set_title(f"Pareto fronts: {metrics['task']} ({metrics['config']})")
    handles = [style.handle(look) for look in looks.values()]
    if metrics.get("optimum"):
        handles.append(style.handle(style.METHODS["optimum"]))
    style.legend(figure, handles)
    style.footnote(figure, _notes(metrics, looks))

    figure.draw_without_rendering()  # settles the layout; labels are placed in pixels
    for axes, pair in zip(panels, pairs, strict=True):
        axes.autoscale(False)
        _label_points(axes, metrics, looks, pair)
    return figure


def _panels(n: int, width: float) -> tuple[Figure, list[Axes]]:
    if n == 1:
        figure = style.new_figure(width, (0.54 if width > 5 else 0.8) * width)
        return figure, [figure.add_subplot()]
    rows, columns = (-(-n // 3), 3) if width > 5 else (n, 1)
    figure = style.new_figure(width, rows * width / columns * (1.05 if columns > 1 else 0.8))
    grid = figure.add_gridspec(rows, columns)
    return figure, [figure.add_subplot(grid[i // columns, i % columns]) for i in range(n)]


def _notes(metrics: Mapping[str, Any], looks: Mapping[str, style.Look]) -> list[str]:
    runs = [metrics["runs"][name] for name in looks]
    text = style.sample_size(metrics, list(looks))
    text += f" Labels: weights of {', '.join(metrics['objectives'])}, where there is room."
    if any(run.get("points_low") for run in runs):
        text += " Ellipses: 95% bootstrap intervals over prompts."
    two = len(metrics["objectives"]) == 2
    if any(len(run.get("seeds") or {}) > 1 for run in runs):
        text += " Thin lines: single seeds." if two else " Small dots: single seeds."
    if not two:
        text += " Lines join the points that no other beats in both objectives of a panel."
    warnings = [
        f"Warning, {look.label}: {warning}"
        for name, look in looks.items()
        for warning in metrics["runs"][name].get("warnings") or []
    ]
    return [text, *warnings]


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
    look = style.METHODS["optimum"]
    axes.plot(*_line(front, two).T, **look.line(zorder=1.2))
    axes.plot(*_project(optimum["points"], pair).T, ".", color=look.colour, ms=3, zorder=1.3)


def _draw_run(axes: Axes, run: Mapping[str, Any], look: style.Look, pair: Pair) -> None:
    points = _project(run["points"], pair)
    two = points.shape[1] == len(run["points"][0])
    seeds = run.get("seeds") or {}
    for seed in seeds.values() if len(seeds) > 1 else ():
        shape = {"lw": 0.5} if two else {"ls": "", "marker": ".", "ms": 2}
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
    axes.plot(*_line(points, two).T, **look.line(marker="", zorder=3))
    axes.plot(*points.T, **look.line(linestyle="", zorder=4))


@dataclass
class _Label:
    text: str
    at: np.ndarray  # pixels
    colour: str
    needed: bool  # worth a leader line


def _wanted(
    axes: Axes,
    metrics: Mapping[str, Any],
    looks: Mapping[str, style.Look],
    pair: Pair,
    markers: np.ndarray,
    px: float,
) -> list[_Label]:
    """Labels in order of importance: the two corners of the simplex, its middle, all the rest.

    The rest is left out with three objectives, and where another marker is close by.
    """
    vectors = np.asarray(metrics["vectors"], dtype=float)
    two = vectors.shape[1] == 2
    rank = np.full(len(vectors), 2 if two else 3)
    rank[np.argmin(vectors.max(axis=1))] = 1
    rank[vectors[:, list(pair)].argmax(axis=0)] = 0
    ranked: list[tuple[int, _Label]] = []
    for name, look in looks.items():
        at = axes.transData.transform(_project(metrics["runs"][name]["points"], pair))
        colour = style.tint(look.colour, -0.3)
        if np.ptp(at, axis=0).max() < 14 * px:
            ranked.append((0, _Label("all w", at.mean(axis=0), colour, True)))
            continue
        for point, vector, r in zip(at, vectors, rank, strict=True):
            alone = (np.hypot(*(markers - point).T) < 9 * px).sum() == 1
            if r < 2 or (r == 2 and alone):
                needed = bool(r == 0 or (r == 1 and two))
                ranked.append((r, _Label(style.vector_label(vector), point, colour, needed)))
    return [label for _, label in sorted(ranked, key=lambda item: item[0])]


def _label_points(
    axes: Axes, metrics: Mapping[str, Any], looks: Mapping[str, style.Look], pair: Pair
) -> None:
    """Put each label on the best free place near its point; leave out what finds none."""
    px = axes.figure.dpi / 72  # pixels per point
    two = len(metrics["objectives"]) == 2
    runs = [_project(metrics["runs"][name]["points"], pair) for name in looks]
    markers = np.concatenate([axes.transData.transform(points) for points in runs])
    ink = [_dense(axes.transData.transform(_line(points, two)), 2 * px) for points in runs]
    lines, leaders = np.concatenate(ink), np.empty((0, 2))
    frame = axes.get_window_extent()
    inside = np.array([[frame.x0, frame.y0], [frame.x1, frame.y1]])
    boxes = np.empty((0, 2, 2))  # placed labels: lower left, upper right
    for label in _wanted(axes, metrics, looks, pair, markers, px):
        text = axes.text(0, 0, label.text, fontsize=style.NOTE_SIZE, color=label.colour, zorder=6)
        text.set(ha="center", va="center", in_layout=False)
        text.set_bbox({"boxstyle": "square,pad=0.05", "fc": "white", "alpha": 0.6, "lw": 0})
        extent = text.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2 + 0.8 * px
        best, cheapest = None, (50.0 if two else 15.0) if label.needed else 5.0
        for distance in (5, 8, 12, 17, 23, 30, 38) if label.needed else (5,):
            for angle in np.deg2rad(np.arange(0, 360, 15)):
                way = np.array([np.cos(angle), np.sin(angle)])
                centre = label.at + way * (distance * px + half)
                box = np.stack([centre - half, centre + half])
                leader = _dense(np.stack([label.at + way * 4 * px, centre - way * half]), 2 * px)
                if (box[0] < inside[0]).any() or (box[1] > inside[1]).any():
                    continue
                if ((box[0] < boxes[:, 1]) & (box[1] > boxes[:, 0])).all(axis=1).any():
                    continue
                if any(_within(leader, placed) for placed in boxes):
                    continue
                cost = 4.0 * _within(markers, box, 2 * px) + 0.8 * _within(lines, box)
                cost += 4.0 * _within(leaders, box) + 0.25 * distance
                cost += 1.5 * (1 - np.cos(angle - np.pi / 4))  # rather up and to the right
                if cost < cheapest:
                    best, cheapest = (centre, box, leader, distance), cost
        if best is None:
            text.remove()
            continue
        centre, box, leader, distance = best
        text.set(position=axes.transData.inverted().transform(centre))
        boxes = np.concatenate([boxes, box[None]])
        if distance > 5:
            ends = axes.transData.inverted().transform(leader[[0, -1]])
            axes.plot(*ends.T, color=label.colour, lw=0.5, zorder=5, in_layout=False)
            leaders = np.concatenate([leaders, leader])


def _dense(corners: np.ndarray, step: float) -> np.ndarray:
    """Points every `step` pixels along a polyline (n, 2)."""
    pieces = [corners[:1]]
    for start, end in pairwise(corners):
        n = max(int(np.hypot(*(end - start)) // step), 1)
        pieces.append(start + (end - start) * np.linspace(0, 1, n + 1)[1:, None])
    return np.concatenate(pieces)


def _within(points: np.ndarray, box: np.ndarray, margin: float = 0.0) -> int:
    return int(((points > box[0] - margin) & (points < box[1] + margin)).all(axis=1).sum())
