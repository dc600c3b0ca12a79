"""The front of three objectives in space (figure 4a).

A point is the mean normalised reward over the test prompts and seeds under one vector. So that
depth can be read from a flat print, every point has a thin drop line to the floor and a pale shadow
where that ends; the panel beside it (below, where it is narrow) shows the same from another side.
Single-reward experts are no front and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import proj3d  # type: ignore[import-untyped]
from mpl_toolkits.mplot3d.art3d import Line3DCollection  # type: ignore[import-untyped]
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]

from moa.reporting.figures import footnotes, style
from moa.reporting.figures.placing import Label, place
from moa.reporting.figures.shown import has_front

NEEDS = ()
OBJECTIVES = 3
VIEWS = ((22, 25), (22, 70))  # elevation and azimuth, degrees: all three rewards grow to the front


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide: of all runs that have a front."""
    runs = {name: run for name, run in metrics["runs"].items() if has_front(run)}
    if not runs:
        return style.empty_figure(width, "No run has a front.")
    looks = style.looks(runs)
    clouds = {name: np.asarray(runs[name]["points"], dtype=float) for name in looks}
    optimum = metrics.get("optimum")
    best = np.asarray(optimum["points"], dtype=float) if optimum else np.empty((0, 3))
    low, high = _box(np.concatenate([*clouds.values(), best]))

    columns = 2 if width > 5 else 1
    figure = style.new_figure(width, 2 / columns * width / columns * 0.86)
    panels: list[Axes3D] = []
    for i, view in enumerate(VIEWS):
        axes: Any = figure.add_subplot(2 // columns, columns, i + 1, projection="3d")
        _set_up(axes, metrics["objectives"], low, high, view)
        if optimum:
            axes.scatter(*best.T, s=9, color=style.GREY, marker=".", depthshade=False, zorder=1)
            _drop(axes, best, low[2], style.GREY, 0.25)
        for name, look in looks.items():
            points = clouds[name]
            _drop(axes, points, low[2], look.colour, 0.45)
            axes.plot(*points.T, **look.line(linestyle="", markersize=4))
        panels.append(axes)
    handles = [style.handle(look, linestyle="") for look in looks.values()]
    if optimum:
        dot = {"linestyle": "", "marker": ".", "markeredgecolor": style.GREY}
        handles.append(style.handle(style.OPTIMUM, **dot))
    style.legend(figure, handles, handlelength=1)
    footnotes.add(figure, _notes(metrics, looks))

    style.settle(figure)  # labels are placed in pixels
    for axes in panels:
        _label_points(axes, runs, looks, clouds)
    return figure


def _box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (3,) of a box around all points (n, 3), with some room."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.where(high > low, 0.06 * (high - low), 0.5)
    return low - room, high + room


def _set_up(
    axes: Axes3D, objectives: list[str], low: np.ndarray, high: np.ndarray, view: tuple[int, int]
) -> None:
    axes.view_init(*view)
    axes.set_proj_type("ortho")  # equal rewards stay equally long, near or far
    axes.set_box_aspect((1, 1, 0.85), zoom=1.04)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    names = (axes.set_xlabel, axes.set_ylabel, axes.set_zlabel)
    for set_name, objective in zip(names, objectives, strict=True):
        set_name(objective, labelpad=-7)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((1, 1, 1, 0))
        axis.set_major_locator(mpl.ticker.MaxNLocator(5))
        axis._axinfo["grid"].update(color="#e0e0e0", linewidth=0.5)
    axes.tick_params(pad=-3)
    axes.tick_params(axis="z", pad=1)
    axes.zaxis.labelpad = -3
    axes.patch.set_visible(False)


def _drop(axes: Axes3D, points: np.ndarray, floor: float, colour: str, alpha: float) -> None:
    below = points.copy()
    below[:, 2] = floor
    lines = np.stack([points, below], axis=1)
    axes.add_collection3d(Line3DCollection(lines, colors=colour, linewidths=0.6, alpha=alpha))
    axes.scatter(*below.T, s=5, color=colour, alpha=alpha, depthshade=False, linewidths=0)


def _label_points(
    axes: Axes3D,
    runs: Mapping[str, Any],
    looks: Mapping[str, style.Look],
    clouds: Mapping[str, np.ndarray],
) -> None:
    """The corners of the simplex and its middle, of the last two runs only."""
    at = {}
    for name, points in clouds.items():
        x, y, _ = proj3d.proj_transform(*points.T, axes.get_proj())
        at[name] = axes.transData.transform(np.c_[x, y])
    labels = []
    for name in list(looks)[-2:]:
        colour = style.tint(looks[name].colour, -0.3)
        if np.ptp(at[name], axis=0).max() < 14 * axes.figure.dpi / 72:
            labels.append(Label("all w", at[name].mean(axis=0), colour, True))
            continue
        vectors = np.asarray(runs[name]["vectors"], dtype=float)
        picks = [*vectors.argmax(axis=0), vectors.max(axis=1).argmin()]
        labels += [
            Label(style.vector_label(vectors[v]), at[name][v], colour, True)
            for v in dict.fromkeys(int(v) for v in picks)
        ]
    place(axes, labels, np.concatenate(list(at.values())), patience=25.0)


def _notes(metrics: Mapping[str, Any], looks: Mapping[str, style.Look]) -> list[str]:
    text = footnotes.sample_size(metrics, list(looks))
    text += " Normalised rewards, means over prompts and seeds; two views of the same points."
    text += " Drop lines end on the floor, at pale dots."
    text += (
        f" Labels: weights of {', '.join(metrics['objectives'])}, at the corners and the middle,"
    )
    text += f" of {' and '.join(look.label for look in list(looks.values())[-2:])}."
    return [text, *footnotes.warnings(metrics, looks)]
