"""What all figures share: colours, markers, labels, fonts, and files equal byte by byte.

Colours are those of Okabe and Ito (2008), told apart with any common colour-vision deficiency; a
marker per method says the same once more, for print in grey.
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from moa.reporting.rewards import unit

logging.getLogger("fontTools").setLevel(logging.WARNING)  # a line per font table otherwise

COLUMN, PAGE = 3.3, 7.0  # inches: one column of a two-column paper, and its full width
NOTE_SIZE = 7.0  # points; nothing in a figure is set smaller
INK, GREY, BAND = "#222222", "#7f7f7f", "#e4e4e4"

RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # shipped with matplotlib: the same on every machine
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.columnspacing": 1.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e8",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "text.parse_math": False,  # run names and warnings are free text and may hold a dollar sign
    "text.usetex": False,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "savefig.bbox": None,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
}


@dataclass(frozen=True)
class Look:
    """How one run is drawn, the same in every figure."""

    label: str
    colour: str
    marker: str
    linestyle: Any = "-"
    face: str = ""  # inside of the marker; a variant's is white

    def line(self, **changes: Any) -> dict[str, Any]:
        """Keyword arguments for `Axes.plot` and for legend handles."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": self.linestyle,
            "markerfacecolor": self.face or self.colour,
            "markeredgecolor": self.colour if self.face else "white",
            "markeredgewidth": 1.0 if self.face else 0.5,
            **changes,
        }


# Also the order of drawing and of the legend; labels come with the runs. Add a method: add a line.
METHODS: dict[str, Look] = {
    "sft": Look("", "#4d4d4d", "X"),
    "rlhf": Look("", "#E69F00", "P"),
    "rewarded_soups": Look("", "#CC79A7", "v"),
    "ric": Look("", "#009E73", "^"),
    "mo_odpo_scalarised": Look("", "#56B4E9", "D"),
    "mo_odpo": Look("", "#0072B2", "s"),
    "mi_epo": Look("", "#D55E00", "o"),
}
OPTIMUM = Look("Optimum (enumerated)", GREY, "", (0, (4, 2)))  # no run's, whatever it is called
# Runs of any other method, in the order of their names: such as responses of a user's own.
OTHERS = (
    Look("", "#8A7A1F", "p"),
    Look("", "#882255", "d"),
    Look("", "#332288", "*"),
    Look("", "#117733", "<"),
    Look("", "#AA4499", ">"),
)
# Runs that differ from their method's plain run by config alone: mixed with white (>0) or black.
_VARIANTS: list[tuple[float, Any]] = [
    (0.35, (0, (5, 1.5))),
    (-0.35, (0, (1.5, 1))),
    (0.55, (0, (5, 1, 1.2, 1))),
    (-0.55, (0, (7, 2))),
    (0.15, (0, (1, 1.8))),
    (-0.15, (0, (3, 1, 1, 1, 1, 1))),
]

# Viridis without its palest end, which is lost on white paper.
WEIGHTS = LinearSegmentedColormap.from_list(
    "weights", mpl.colormaps["viridis"](np.linspace(0.0, 0.86, 64))
)
_CORNERS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def tint(colour: str, amount: float) -> str:
    """Mix a colour with white (amount in 0..1) or with black (amount in -1..0)."""
    target = np.ones(3) if amount > 0 else np.zeros(3)
    red, green, blue = (1 - abs(amount)) * np.array(to_rgb(colour)) + abs(amount) * target
    return to_hex((red, green, blue))


def looks(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Look]:
    """The look of every run, in the order to draw them: methods as in `METHODS`, then by name.

    `runs` maps a name to {"method": ..., "label": ...}. A run whose method is not in `METHODS` has one of
    `OTHERS`, whatever it is called. Any other whose name is in `METHODS` has that look, and else its
    method's colour in another tint, dashes and hollow markers. Which it gets depends only on the names in
    `runs`, not on their order.
    """
    rank = {method: i for i, method in enumerate(METHODS)}

    def place(name: str) -> tuple[int, bool, str]:
        method = runs[name]["method"]
        plain = method in METHODS and name in METHODS
        return rank.get(name if plain else method, len(rank)), not plain, name

    used: dict[str, int] = {}
    found: dict[str, Look] = {}
    for name in sorted(runs, key=place):
        method, plain = runs[name]["method"], name in METHODS
        base, label = plain_look(name, method), runs[name].get("label") or name
        if base is None:
            method, nth = "", used.get("others", 0)
            used["others"] = nth + 1
            base, plain = OTHERS[nth % len(OTHERS)], nth < len(OTHERS)
        if plain:
            found[name] = Look(label, base.colour, base.marker)
            continue
        nth = used.get(method, 0)
        used[method] = nth + 1
        amount, dashes = _VARIANTS[nth % len(_VARIANTS)]
        found[name] = Look(label, tint(base.colour, amount), base.marker, dashes, "white")
    return found


def plain_look(name: str, method: str) -> Look | None:
    """The one in `METHODS` that a run has or varies; None: its method is not there."""
    return METHODS.get(name, METHODS[method]) if method in METHODS else None


def expert(look: Look) -> dict[str, Any]:
    """Keyword arguments for `Axes.plot`: the lone, conspicuous markers of single-reward experts."""
    return look.line(linestyle="", markersize=7, markeredgecolor=INK, zorder=5)


def weight_colours(vectors: Sequence[Sequence[float]]) -> list[str]:
    """One colour per preference vector, from the vector alone.

    Two objectives: the place of w_1 on a sequential map. More: a mixture, by weight, of one colour
    per objective, darker the more even the weights are.
    """
    w = np.asarray(vectors, dtype=float)
    if w.shape[1] == 2:
        return [to_hex(WEIGHTS(float(x))) for x in w[:, 0]]
    corners = np.array([to_rgb(_CORNERS[k % len(_CORNERS)]) for k in range(w.shape[1])])
    w = w / w.sum(axis=1, keepdims=True)
    evenness = (1 - w.max(axis=1)) / (1 - 1 / w.shape[1])
    return [to_hex(rgb) for rgb in np.clip((1 - 0.5 * evenness)[:, None] * (w @ corners), 0, 1)]


def vector_label(vector: Sequence[float]) -> str:
    """`.3/.7` for (0.3, 0.7); `1/0` for (1, 0)."""
    return "/".join(f"{x:.2f}".rstrip("0").rstrip(".").replace("0.", ".", 1) for x in vector)


def axis_label(metrics: Mapping[str, Any], objective: str, *, narrow: bool = False) -> str:
    return f"{objective}{chr(10) if narrow else ' '}({unit(metrics)})"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure outside pyplot's list, so nothing has to be closed; call it within `RC`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def empty_figure(width: float, why: str) -> Figure:
    """In place of a figure for which there is nothing to show: a sentence that says why."""
    figure = new_figure(width, 0.4)
    figure.text(0.5, 0.5, textwrap.fill(why, int(width * 16)), ha="center", va="center")
    return figure


def legend(
    figure: Figure,
    handles: Sequence[Any],
    title: str | None = None,
    handlelength: float | None = None,
) -> None:
    """A legend above all axes in as many columns as fit; the figure grows by its height."""
    if handlelength is None:
        handlelength = 2.2 if figure.get_figwidth() > 5 else 1.8
    letters = [len(str(handle.get_label())) for handle in handles]
    columns = next(
        n
        for n in range(len(handles), 0, -1)
        if n == 1 or _legend_width(letters, n, handlelength) < 72 * figure.get_figwidth()
    )
    lines = -(-len(handles) // columns) + (title is not None)
    figure.set_figheight(figure.get_figheight() + lines * 7.5 * 1.5 / 72)
    place: dict[str, Any] = {"loc": "outside upper center", "ncols": columns}
    figure.legend(handles=handles, title=title, handlelength=handlelength, **place)


def _legend_width(letters: Sequence[int], columns: int, handlelength: float) -> float:
    """Points, estimated from the number of letters; matplotlib fills a legend by columns."""
    widest = [max(column) for column in np.array_split(letters, columns)]
    return sum(7.5 * (0.58 * n + handlelength + 2.2) for n in widest)


def handle(look: Look, **changes: Any) -> Line2D:
    return Line2D([], [], **{"label": look.label, **look.line(**changes)})


def settle(figure: Figure) -> None:
    """Lay the figure out once and for all, so that pixels mean something from here on.

    The solver's last digits differ from run to run and would show in a PDF: they are cut off.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        place = np.array(axes.get_position(original=True).bounds)
        # not to the nearest: simple fractions lie half-way between two and would fall either way
        left, bottom, width, height = np.floor(place * 1e6 + 0.618) / 1e6
        axes.set_position((left, bottom, width, height))
        axes.apply_aspect()


def save(figure: Figure, folder: str | Path, name: str) -> list[Path]:
    """Write `<name>.pdf` and `<name>.png` (200 dpi) into `folder`; equal figures, equal bytes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.pdf", folder / f"{name}.png"]
    with mpl.rc_context(RC):
        settle(figure)
        figure.savefig(paths[0], metadata={"CreationDate": None})
        figure.savefig(paths[1], dpi=200, metadata={"Software": None})
    return paths
