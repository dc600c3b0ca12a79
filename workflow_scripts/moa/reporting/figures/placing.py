"""Labels beside points, placed so that none covers another label and few cover marks.

Places are chosen in pixels, so the layout has to be settled first (`style.settle`), and kept in
data coordinates, so that the figure can be saved at any resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from moa.reporting.figures.style import NOTE_SIZE


@dataclass
class Label:
    """A wish: some text near `at` (2,), in pixels."""

    text: str
    at: np.ndarray
    colour: str
    needed: bool  # worth a leader line


def place(
    axes: Axes,
    labels: Sequence[Label],
    markers: np.ndarray,
    lines: Sequence[np.ndarray] = (),
    *,
    patience: float = 50.0,
) -> None:
    """Put each label, the first ones first, on the best free place; leave out what finds none.

    `markers` (n, 2) and the corners of `lines`, each (n, 2), are pixels to keep clear of. A needed
    label may cost up to `patience`: 4 for a marker or leader line that it covers, 0.8 for every 2
    points of a line, 0.25 for every point of distance.
    """
    px = axes.figure.dpi / 72  # pixels per point
    ink = np.concatenate([np.empty((0, 2)), *(_dense(line, 2 * px) for line in lines)])
    leaders = np.empty((0, 2))
    frame = axes.get_window_extent()
    inside = np.array([[frame.x0, frame.y0], [frame.x1, frame.y1]])
    boxes = np.empty((0, 2, 2))  # placed labels: lower left, upper right
    to_data = axes.transData.inverted()
    for label in labels:
        text = Text(0, 0, label.text, fontsize=NOTE_SIZE, color=label.colour, zorder=26)
        text.set(ha="center", va="center", in_layout=False, transform=axes.transData)
        text.set_bbox({"boxstyle": "square,pad=0.05", "fc": "white", "alpha": 0.6, "lw": 0})
        axes.add_artist(text)
        extent = text.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2 + 0.8 * px
        best, cheapest = None, patience if label.needed else 5.0
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
                apart = (leader[:, None] <= boxes[:, 0]) | (leader[:, None] >= boxes[:, 1])
                if not apart.any(axis=2).all():
                    continue
                cost = 4.0 * _within(markers, box, 2 * px) + 0.8 * _within(ink, box)
                cost += 4.0 * _within(leaders, box) + 0.25 * distance
                cost += 1.5 * (1 - np.cos(angle - np.pi / 4))  # rather up and to the right
                if cost < cheapest:
                    best, cheapest = (centre, box, leader, distance), cost
        if best is None:
            text.remove()
            continue
        centre, box, leader, distance = best
        text.set(position=to_data.transform(centre))
        boxes = np.concatenate([boxes, box[None]])
        if distance > 5:
            ends = to_data.transform(leader[[0, -1]])
            line = Line2D(*ends.T, color=label.colour, lw=0.5, zorder=25, in_layout=False)
            line.set_transform(axes.transData)
            axes.add_artist(line)
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
