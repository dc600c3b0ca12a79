"""How far MO-ODPO's reward distributions under different vectors overlap (figure 1a).

Left or on top: the rewards of single responses, coloured by vector; dots are pale, an ellipse holds
half of a normal distribution with its vector's covariance, a cross is the mean. Three objectives
have a panel per pair. The matrix gives the overlap of every two vectors in percent: the
Bhattacharyya coefficient of the normals fitted to their rewards in all objectives, 100 if they are
the same. Its diagonal is the key to the colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from moa.reporting.figures import clouds, footnotes, style
from moa.reporting.figures.shown import compared, drawn, has_front

NEEDS = ("scores",)
ABREAST = 3  # panels in a row of a wide figure
SHOWN = 60  # dots per vector and panel at most
SHADES = LinearSegmentedColormap.from_list("overlap", ["#ffffff", "#4d4d4d"])


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], scores: pd.DataFrame, *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide; `scores` has a row per run x seed x vector x prompt.

    Of the first method that is compared (MO-ODPO), or the first run that has a front.
    """
    fronts = [name for name, run in metrics["runs"].items() if has_front(run)]
    names = (compared(metrics) or fronts)[:1]
    if not names:
        return style.empty_figure(width, "No run follows preference vectors.")
    run, look = metrics["runs"][names[0]], style.looks(metrics["runs"])[names[0]]
    objectives = list(metrics["objectives"])
    rows = scores[scores["run"] == names[0]]
    rewards = rows[[f"norm_{o}" for o in objectives]].to_numpy(dtype=float)
    known = np.isfinite(rewards).all(axis=1)
    rewards, vector = rewards[known], rows["vector"].to_numpy()[known]
    parts = [rewards[vector == v] for v in range(len(run["vectors"]))]
    colours = style.weight_colours(run["vectors"])
    noise = [clouds.jitter(column) for column in rewards.T]

    pairs = list(combinations(range(len(objectives)), 2))
    figure, panels, matrix = _panels(len(pairs), width)
    for axes, pair in zip(panels, pairs, strict=True):
        for part, colour in zip(parts, colours, strict=True):
            spread = [noise[k] for k in pair]
            cloud = part[:, list(pair)]
            clouds.draw(axes, cloud, colour, spread, dots=SHOWN, alpha=0.25, fill=0.05)
        x, y = (objectives[k] for k in pair)
        several = len(pairs) > 1
        axes.set_xlabel(style.axis_label(metrics, x, narrow=several and width > 5))
        axes.set_ylabel(style.axis_label(metrics, y, narrow=several or width <= 5))
        axes.set(xlim=clouds.limits(rewards[:, pair[0]]), ylim=clouds.limits(rewards[:, pair[1]]))
    panels[0].set_title(f"{look.label}: rewards under each w")
    overlaps = clouds.overlap(parts)
    _draw_matrix(figure, matrix, overlaps, run["vectors"], colours)
    mean = clouds.mean_overlap(overlaps)
    matrix.set_title("overlap, %" + (f" (mean {100 * mean:.0f})" if np.isfinite(mean) else ""))
    footnotes.add(figure, [_note(metrics, names, parts, any(noise))])
    return figure


def _panels(pairs: int, width: float) -> tuple[Figure, list[Axes], Axes]:
    """Panels of the pairs and the matrix: beside each other, or below where there is no room."""
    if width > 5 and pairs == 1:
        figure = style.new_figure(width, 0.46 * width)
        left, right = figure.subplots(1, 2)
        return figure, [left], right
    if width > 5:
        rows = -(-pairs // ABREAST)
        figure = style.new_figure(width, (0.6 + 0.32 * rows) * width)
        grid = figure.add_gridspec(rows + 1, min(pairs, ABREAST), height_ratios=[1] * rows + [1.9])
        panels = [figure.add_subplot(grid[divmod(i, ABREAST)]) for i in range(pairs)]
        return figure, panels, figure.add_subplot(grid[rows, :])
    each = 0.75 if pairs == 1 else 0.6
    figure = style.new_figure(width, (each * pairs + 1.0) * width)
    grid = figure.add_gridspec(pairs + 1, 1, height_ratios=[each] * pairs + [1.0])
    panels = [figure.add_subplot(grid[i, 0]) for i in range(pairs)]
    return figure, panels, figure.add_subplot(grid[pairs, 0])


def _draw_matrix(
    figure: Figure,
    axes: Axes,
    overlaps: np.ndarray,
    vectors: Sequence[Sequence[float]],
    colours: list[str],
) -> None:
    """The lower triangle, with numbers where a cell has room for them."""
    m = len(vectors)
    lower = np.where(np.tri(m, k=-1, dtype=bool), overlaps, np.nan)
    axes.imshow(lower, cmap=SHADES, vmin=0, vmax=1)
    for i, colour in enumerate(colours):
        axes.add_patch(Rectangle((i - 0.5, i - 0.5), 1, 1, fc=colour, lw=0))
    labels = [style.vector_label(w) for w in vectors]
    axes.set_xticks(range(m), labels, rotation=90)
    axes.set_yticks(range(m), labels)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    axes.grid(False)
    figure.draw_without_rendering()  # settles the layout, and so the room of a cell in points
    room = axes.get_window_extent().height / m * 72 / figure.dpi
    every = int(np.ceil(1.2 * style.NOTE_SIZE / room))
    axes.set_xticks(range(0, m, every), labels[::every])
    axes.set_yticks(range(0, m, every), labels[::every])
    for i, j in zip(*np.nonzero(np.isfinite(lower)), strict=True):
        if room < 1.6 * style.NOTE_SIZE:
            break
        axes.text(
            j,
            i,
            f"{100 * lower[i, j]:.0f}",
            fontsize=style.NOTE_SIZE,
            color="white" if lower[i, j] > 0.7 else style.INK,
            ha="center",
            va="center_baseline",
        )


def _note(
    metrics: Mapping[str, Any], names: list[str], parts: list[np.ndarray], jittered: bool
) -> str:
    text = footnotes.sample_size(metrics, names) + drawn(metrics, names)
    text += (
        f" w: weights of {', '.join(metrics['objectives'])}; the diagonal is the key to colours."
    )
    most = max(len(part) for part in parts)
    if most > SHOWN:
        text += f" Dots: {SHOWN} of the {most} responses per vector, drawn at random."
    if jittered:
        text += " Dots are jittered, as rewards lie on a coarse grid."
    text += " Ellipses hold half of a normal distribution with the same covariance; crosses: means."
    text += " Overlap: Bhattacharyya coefficient of the normals fitted to two vectors' rewards, in"
    text += " all objectives at once, over all seeds."
    return text + " Darker: more; 100: the same."
