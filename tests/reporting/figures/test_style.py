"""What all figures have in common: looks, labels, a layout that stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from moa.reporting.figures import style
from support.made_up_figures import draw


def test_looks_are_fixed_distinct_and_blind_to_order() -> None:
    runs = {name: {"method": name} for name in style.METHODS}
    runs |= {f"variant_{i}": {"method": "mi_epo"} for i in range(6)}
    looks = style.looks(runs)
    assert looks["mi_epo"].colour == "#D55E00" and looks["mi_epo"].label == "mi_epo"
    for name in style.METHODS:
        assert looks[name] == replace(style.METHODS[name], label=name)
    run = {"method": "mo_odpo", "label": "MO-ODPO (scalarised)"}
    scalarised = style.looks({"mo_odpo_scalarised": run})["mo_odpo_scalarised"]
    assert scalarised == replace(style.METHODS["mo_odpo_scalarised"], label=run["label"])
    assert looks == style.looks(dict(reversed(runs.items())))
    assert len({(look.colour, look.marker, str(look.linestyle)) for look in looks.values()}) == 13
    assert looks["variant_0"].marker == looks["mi_epo"].marker


def test_no_run_looks_like_the_optimum() -> None:
    looks = style.looks({"optimum": {"method": "mi_epo"}, "mi_epo": {"method": "mi_epo"}})
    assert list(looks) == ["mi_epo", "optimum"]
    assert looks["optimum"].marker == looks["mi_epo"].marker and looks["optimum"].face == "white"


def test_a_settled_layout_forgets_the_last_digits() -> None:
    places = []
    for noise in (-1e-13, 1e-13):
        figure = Figure()
        figure.add_axes((0.125 + noise, 0.0078125 + noise, 0.5 - noise, 0.0000005 + noise))
        style.settle(figure)
        places.append(figure.axes[0].get_position().bounds)
    assert places[0] == places[1] == pytest.approx((0.125, 0.0078125, 0.5, 0), abs=1e-6)


@pytest.mark.parametrize("name", ["front_3d", "reward_overlap", "pareto_fronts"])
def test_a_settled_layout_stays_as_it_is(name: str) -> None:
    figure = draw(name)
    style.settle(figure)
    settled = [axes.get_window_extent().bounds for axes in figure.axes]
    figure.draw_without_rendering()
    assert [axes.get_window_extent().bounds for axes in figure.axes] == settled


def test_vector_labels() -> None:
    assert style.vector_label([0.3, 0.7]) == ".3/.7"
    assert style.vector_label([1, 0.0]) == "1/0"
    assert style.vector_label([0.33, 0.33, 0.33]) == ".33/.33/.33"
