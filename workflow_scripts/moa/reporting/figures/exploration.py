"""Regions of reward space explored in training per preference, by third of training (figure 1b).

A dot is the normalised reward of one sampled response, coloured by the preference it was sampled
for: bins of w_1 with two objectives, the nearest of the corners and the centre of the simplex with
more. An ellipse holds half of a normal distribution fitted to its preference's rewards. "Overlap"
is the mean Bhattacharyya coefficient over all pairs of these normals, in all objectives at once: 1
if all preferences explore the same region. All panels share their axes; three objectives have a
panel per pair of them and leave out the middle third.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from moa.reporting.figures import clouds, footnotes, style
from moa.reporting.figures.shown import compared, share

NEEDS = ("explored",)
THIRDS = ("early", "middle", "late")
BINS = 5  # of w_1
SHOWN = 100  # dots per condition and panel at most


@mpl.rc_context(style.RC)
def draw(
    metrics: Mapping[str, Any], explored: pd.DataFrame, *, width: float = style.PAGE
) -> Figure:
    """The figure, `width` inches wide; `explored` has a row per response sampled in training."""
    names = [name for name in compared(metrics) if name in set(explored.get("run", ()))]
    if not names:
        return style.empty_figure(width, "No run explored online.")
    objectives = list(metrics["objectives"])
    rows = explored[explored["run"].isin(names)]
    rewards = rows[[f"norm_{o}" for o in objectives]].to_numpy(dtype=float)
    known = np.isfinite(rewards).all(axis=1)
    rows, rewards = rows[known], rewards[known]
    condition = _condition(rows[[f"w_{o}" for o in objectives]].to_numpy(dtype=float))
    labels, colours = _conditions(objectives)
    third = share(rows["progress"].to_numpy(dtype=float), 3)
    ends = [clouds.limits(column) for column in rewards.T]
    noise = [clouds.jitter(column) for column in rewards.T]

    panels = _panels(names, list(combinations(range(len(objectives)), 2)), width)
    shape = max(p.row for p in panels) + 1, max(p.column for p in panels) + 1
    figure = style.new_figure(
        width, shape[0] * min(width / shape[1], 2.4) * (0.75 if len(objectives) > 2 else 0.8)
    )
    grid = figure.add_gridspec(*shape)
    looks = style.looks(metrics["runs"])
    for panel in panels:
        axes = figure.add_subplot(grid[panel.row, panel.column])
        here = (rows["run"] == panel.run).to_numpy() & (third == panel.third)
        parts = [rewards[here & (condition == c)] for c in range(len(labels))]
        for part, colour in zip(parts, colours, strict=True):
            spread = [noise[k] for k in panel.pair]
            cloud = part[:, list(panel.pair)]
            clouds.draw(axes, cloud, colour, spread, dots=SHOWN, alpha=0.25, fill=0.1)
        axes.set(xlim=ends[panel.pair[0]], ylim=ends[panel.pair[1]])
        _name_axes(axes, panel, objectives, shape)
        title = textwrap.fill(f"{looks[panel.run].label}, {THIRDS[panel.third]}", panel.letters)
        overlap = clouds.mean_overlap(clouds.overlap(parts))
        if np.isfinite(overlap) and panel.pair == (0, 1):
            title += f"\noverlap {overlap:.2f}"
        axes.set_title(title, fontsize=7.5)
    handles = [
        Line2D([], [], ls="", marker="o", color=colour, label=label)
        for colour, label in zip(colours, labels, strict=True)
    ]
    title = f"weight of {objectives[0]} (w_1)" if len(objectives) == 2 else "nearest preference"
    style.legend(figure, handles, title=title, handlelength=1)
    footnotes.add(figure, [_note(metrics, rows, names, any(noise))])
    return figure


@dataclass(frozen=True)
class _Panel:
    run: str
    third: int
    pair: tuple[int, int]
    row: int
    column: int
    letters: int  # that fit into a line of its title


def _panels(names: list[str], pairs: list[tuple[int, int]], width: float) -> list[_Panel]:
    """Which panel shows what where; narrow figures have no more than two columns.

    Two objectives: run by third, or third by run where it is narrow. More: pair by run and third,
    or run and pair by third where it is narrow.
    """
    wide, many = width > 5, len(pairs) > 1
    thirds = (0, 2) if many else (0, 1, 2)
    cells = []
    for i, run in enumerate(names):
        for t, third in enumerate(thirds):
            for p, pair in enumerate(pairs):
                if many:
                    at = (p, i * len(thirds) + t) if wide else (i * len(pairs) + p, t)
                else:
                    at = (i, t) if wide else (t, i)
                cells.append((run, third, pair, *at))
    columns = max(cell[-1] for cell in cells) + 1
    return [_Panel(*cell, letters=max(int(13 * width / columns) - 4, 8)) for cell in cells]


def _name_axes(axes: Axes, panel: _Panel, objectives: list[str], shape: tuple[int, int]) -> None:
    """Names and numbers at the outer panels only; pairs differ in their axes and have their own."""
    many = len(objectives) > 2
    if many or panel.row == shape[0] - 1:
        axes.set_xlabel(objectives[panel.pair[0]])
    if panel.column == 0:
        axes.set_ylabel(objectives[panel.pair[1]])
    axes.tick_params(labelbottom=many or panel.row == shape[0] - 1, labelleft=panel.column == 0)


def _conditions(objectives: list[str]) -> tuple[list[str], list[str]]:
    """Labels and colours of the conditions."""
    if len(objectives) == 2:
        edges = np.linspace(0, 1, BINS + 1)
        labels = [f"{low:.1f} to {high:.1f}" for low, high in pairwise(edges)]
        middles = (edges[1:] + edges[:-1]) / 2
        return labels, style.weight_colours(np.c_[middles, 1 - middles].tolist())
    labels = [f"mostly {objective}" for objective in objectives] + ["balanced"]
    return labels, style.weight_colours(_anchors(len(objectives)).tolist())


def _condition(w: np.ndarray) -> np.ndarray:
    """The condition (n,) that each preference vector of `w` (n, k) belongs to."""
    if w.shape[1] == 2:
        # a weight rounded to 0.6 and renormalised may be a little less
        return np.clip(np.floor(w[:, 0] * BINS + 1e-9), 0, BINS - 1).astype(int)
    return np.linalg.norm(w[:, None] - _anchors(w.shape[1]), axis=2).argmin(axis=1)


def _anchors(k: int) -> np.ndarray:
    """The corners of the simplex and its centre (k + 1, k)."""
    return np.vstack([np.eye(k), np.full(k, 1 / k)])


def _note(metrics: Mapping[str, Any], rows: pd.DataFrame, names: list[str], jittered: bool) -> str:
    counts = " and ".join(f"{(rows['run'] == name).sum():,}" for name in names)
    text = f"n = {counts} responses to training prompts, {footnotes.seeds(metrics, names)}."
    text += f" Normalised rewards; dots: at most {SHOWN} per panel and preference, at random."
    if jittered:
        text += " Dots are jittered, as rewards lie on a coarse grid."
    text += " Ellipses hold half of a normal distribution with the same covariance; crosses: means."
    text += " Overlap: mean Bhattacharyya coefficient of the preferences' normals, 1 if all equal."
    if len(metrics["objectives"]) > 2:
        text += " Early and late: first and last third of training."
    else:
        text += " Early, middle, late: thirds of training."
    return text
