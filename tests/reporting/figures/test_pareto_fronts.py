"""The front of every run: labelled, told apart, experts as lone markers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.text import Text

from moa.reporting.figures import style
from support.made_up_figures import SPREAD, draw, legend_labels, titles


@pytest.mark.parametrize(("k", "width"), [(2, style.COLUMN), (2, style.PAGE), (3, style.PAGE)])
def test_all_runs_are_in_the_legend(k: int, width: float) -> None:
    labels = legend_labels(draw("pareto_fronts", width, k=k))
    assert labels == [*(f"label of {name}" for name in SPREAD), "Optimum (enumerated)"]
    assert "Optimum (enumerated)" not in legend_labels(draw("pareto_fronts", optimum=False))
    distributions = draw("reward_distributions", width, k=k)
    assert set(titles(distributions)) == {"label of mo_odpo", "label of mi_epo"}
    assert {style.vector_label(w) for w in np.eye(k)} <= set(legend_labels(distributions))


@pytest.mark.parametrize("width", [style.COLUMN, style.PAGE])
@pytest.mark.parametrize("scale", [1.0, 0.1], ids=["spread out", "bunched"])
def test_labels_do_not_overlap(scale: float, width: float) -> None:
    spreads = {name: scale * spread for name, spread in SPREAD.items()}
    figure = draw("pareto_fronts", width, spreads=spreads, sd=0.2, optimum=scale == 1)
    figure.set_dpi(200)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    shown = [Text.get_window_extent(text) for text in axes.texts]
    assert len(shown) >= 2 * len(SPREAD) - 1  # both ends of all but SFT, which has one label
    for one, other in itertools.combinations(shown, 2):
        assert not one.overlaps(other)
    frame = axes.get_window_extent().padded(1)
    assert all(frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1) for box in shown)


def test_experts_are_lone_markers() -> None:
    (axes,) = draw("pareto_fronts", seeds=1, spreads={"rlhf": 1.2, "mi_epo": 1.0}, sd=0.0).axes
    lines = [line for line in axes.lines if line.get_color() == style.METHODS["rlhf"].colour]
    assert [len(line.get_xdata()) for line in lines if line.get_linestyle() == "None"] == [2]
    assert not [line for line in lines if line.get_linestyle() != "None"]
    assert [text.get_text() for text in axes.texts].count("1/0") == 2  # MI-EPO's and the expert's
