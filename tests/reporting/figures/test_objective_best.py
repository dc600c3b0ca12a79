"""The best value per objective."""

from __future__ import annotations

import numpy as np
import pytest

from moa.reporting.figures import style
from support.made_up_figures import draw_from, legend_labels, results, titles


@pytest.mark.parametrize("k", [2, 3])
def test_best_per_objective(k: int) -> None:
    metrics, _ = results(k)
    runs = metrics["runs"]
    # another expert that happens to be better counts for nothing
    runs["rlhf"]["points"][1][0] = runs["rlhf"]["points"][0][0] + 5
    figure = draw_from("objective_best", metrics)
    assert titles(figure) == metrics["objectives"]
    for j, axes in enumerate(figure.axes):
        for name, look in style.looks(runs).items():
            marks = [
                line.get_xdata()
                for line in axes.lines
                if line.get_color() == look.colour and line.get_marker() == look.marker
            ]
            points = np.array(runs[name]["points"])[:, j]
            assert marks == [[points[j] if name == "rlhf" else points.max()]]
        dashed = [x.get_xdata()[0] for x in axes.lines if x.get_color() == style.GREY]
        assert dashed == [max(point[j] for point in metrics["optimum"]["points"])]
    metrics["optimum"] = None
    assert legend_labels(draw_from("objective_best", metrics)) == ["label of rlhf, own objective"]
