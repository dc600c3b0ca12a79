"""What was explored, by condition and third of training."""

from __future__ import annotations

import numpy as np
import pytest

from moa.reporting.figures import exploration, style
from support.made_up_figures import draw


def test_preferences_are_sorted_into_conditions() -> None:
    w = [[x, 1 - x] for x in (0, 0.19, 0.2, 0.59, 0.6 - 1e-12, 0.8, 1)]
    assert exploration._condition(np.array(w)).tolist() == [0, 0, 1, 2, 3, 4, 4]
    three = np.array([[1, 0, 0], [0.1, 0.8, 0.1], [0, 0.2, 0.8], [0.4, 0.3, 0.3]])
    assert exploration._condition(three).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("width", [style.COLUMN, style.PAGE])
def test_exploration_shows_thirds_of_training_on_equal_axes(width: float) -> None:
    figure = draw("exploration", width)
    overlaps = {}
    for axes in figure.axes:
        which, overlap = axes.get_title(loc="left").rsplit("\noverlap ", 1)
        overlaps[which.replace("\n", " ")] = float(overlap)
        assert axes.get_xlim() == figure.axes[0].get_xlim()
        assert axes.get_ylim() == figure.axes[0].get_ylim()
    for method in ("mo_odpo", "mi_epo"):
        early, middle, late = (
            overlaps[f"label of {method}, {third}"] for third in exploration.THIRDS
        )
        assert min(early, middle) > 0.8 > 0.5 > late
