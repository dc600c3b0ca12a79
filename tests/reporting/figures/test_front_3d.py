"""The front in three objectives."""

from __future__ import annotations

import numpy as np

from moa.reporting.figures import style
from support.made_up_figures import VECTORS, draw, legend_labels


def test_space_shows_fronts_only() -> None:
    figure = draw("front_3d")
    assert "label of rlhf" not in legend_labels(figure)
    assert legend_labels(figure)[-2:] == ["label of mi_epo", "Optimum (enumerated)"]
    for axes in figure.axes:
        ours = [line for line in axes.lines if line.get_color() == style.METHODS["mi_epo"].colour]
        (points,) = (line.get_data_3d() for line in ours)
        assert np.shape(points) == (3, len(VECTORS[3]))
        assert {"1/0/0", "0/0/1"} <= {text.get_text() for text in axes.texts}
