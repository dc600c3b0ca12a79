"""Rewards and losses over training."""

from __future__ import annotations

import pytest

from moa.reporting.figures import style
from support.made_up_figures import draw_from, legend_labels, results, titles, training


def test_curves_are_means_over_seeds_of_what_was_sampled() -> None:
    metrics, _ = results(seeds=3)
    curves = training(metrics, steps=40)
    late = (curves["seed"] == 2) & (curves["progress"] > 0.5)
    curves = curves[~late]  # a seed that stopped early
    figure = draw_from("training_curves", metrics, curves=curves)
    assert titles(figure) == [*metrics["objectives"], "alignment loss", "exploration loss"]
    lines = {
        (i, name): [x for x in axes.lines if x.get_color() == style.METHODS[name].colour]
        for i, axes in enumerate(figure.axes)
        for name in ("rlhf", "ric", "mo_odpo", "mi_epo")
    }
    (ours,) = lines[0, "mi_epo"]
    assert ours.get_ydata()[[9, -1]] == pytest.approx([0.25 + 0.1, 1 + 0.05])
    (expert,) = lines[1, "rlhf"]
    assert expert.get_ydata()[-1] == pytest.approx(2 + 0.05)
    rounds = next(line for line in lines[0, "ric"] if line.get_marker() == "^")
    assert rounds.get_linestyle() == "None" and rounds.get_xdata() == pytest.approx([0.25, 0.75])
    assert [bool(lines[2, name]) for name in ("rlhf", "ric", "mo_odpo")] == [False, False, True]
    assert [bool(lines[3, name]) for name in ("mo_odpo", "mi_epo")] == [False, True]
    assert "label of sft" not in legend_labels(figure)
