"""The metrics against beta_w."""

from __future__ import annotations

from moa.reporting.figures import style
from support.made_up_figures import draw_from, legend_labels, note, results, titles

SWEEP = {"mo_odpo": 0.0, "mi_epo": 0.01, "mi_epo_strong": 0.03, "mi_epo_stronger": 0.1}


def test_sweep_shows_collapse() -> None:
    case = {"spreads": dict.fromkeys(SWEEP, 1.0) | {"sft": 0.0}, "beta_w": SWEEP}
    metrics, _ = results(method={name: "mi_epo" for name in SWEEP if "strong" in name}, **case)
    intact = draw_from("beta_w_sweep", metrics)
    assert titles(intact)[0] == "HV (↑ better)" and titles(intact)[2] == "CRD (↓ better)"
    assert "collapsed" not in legend_labels(intact) and not intact.axes[0].patches
    assert [t.get_text() for t in intact.axes[3].get_xticklabels()] == ["0", "0.01", "0.03", "0.1"]
    metrics["runs"]["mi_epo_stronger"]["warnings"] = ["collapsed: 97% are identical"]
    figure = draw_from("beta_w_sweep", metrics)
    assert "collapsed" in legend_labels(figure)
    assert "Warning, label of mi_epo_stronger: collapsed: 97% are identical" in note(figure)
    assert "label of sft" not in note(figure)
    for axes in figure.axes:
        (band,) = axes.patches
        assert band.get_x() < 3 < band.get_x() + band.get_width()
        assert [line.get_xdata() for line in axes.lines if line.get_marker() == "x"] == [[3]]
    dashed = [
        [line.get_ydata()[0] for line in axes.lines if line.get_color() == style.GREY]
        for axes in figure.axes
    ]
    assert dashed == [[2.5], [2.0], [], []]
