"""Which runs stand on which line of the phase diagram."""

import copy

import matplotlib.pyplot as plt
import numpy as np
import pytest

from moa.reporting.figures import phase_diagram, phases_by_kl
from support.made_up_figures import results

GRID = {  # name: method, beta_c, beta_w
    "mo_odpo": ("mo_odpo", 1.6, 0.0),
    "mi_epo": ("mi_epo", 1.6, 0.16),
    "mo_low": ("mo_odpo", 0.1, 0.0),
    "mi_low": ("mi_epo", 0.1, 0.01),
    "mi_strong": ("mi_epo", 1.6, 1.6),
    "mo_long": ("mo_odpo", 1.6, 0.0),
}


@pytest.fixture
def metrics():
    found, _ = results()
    like = found["runs"]["mi_epo"]
    found["runs"] = {
        name: {
            **copy.deepcopy(like),
            "method": method,
            "label": name,
            "betas": {"beta_c": beta_c, "beta_w": beta_w},
            "hv": {**like["hv"], "mean": 10 * beta_c + beta_w},
        }
        for name, (method, beta_c, beta_w) in GRID.items()
    }
    return found


def lines(axes):
    return [np.array(line.get_xydata()) for line in axes.lines if line.get_marker() in ("s", "o")]


def test_lines_are_of_beta_c_and_of_the_ratio(metrics):
    figure = phase_diagram.draw(metrics)
    left, right = figure.axes[0], figure.axes[1]
    without, with_term = lines(left)
    np.testing.assert_allclose(without, [[0.1, 1.0], [1.6, 16.0]])
    np.testing.assert_allclose(with_term, [[0.1, 1.01], [1.6, 16.16]])
    (ratios,) = lines(right)
    np.testing.assert_allclose(ratios, [[0, 16.0], [1, 16.16], [2, 17.6]])
    assert [text.get_text() for text in figure.axes[-1].get_xticklabels()] == ["0", "0.1", "1"]
    plt.close(figure)


def test_what_is_not_drawn_is_named_and_so_are_warnings(metrics):
    metrics["runs"]["mi_low"]["warnings"] = ["collapsed: 60% of the responses are identical"]
    figure = phase_diagram.draw(metrics)
    said = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert "on no line: mo_long" in said
    assert "Warning, mi_low: collapsed" in said and "Crossed out" in said
    plt.close(figure)


def test_the_lines_against_kl_are_those_along_beta_c(metrics):
    assert phase_diagram.along_beta_c(metrics) == (["mo_odpo", "mo_low"], ["mi_epo", "mi_low"])
    for name, kl in {"mo_odpo": 1.0, "mo_low": 5.0, "mi_epo": 2.0, "mi_low": 7.0}.items():
        metrics["runs"][name]["kl"] = {"mean": kl}
    figure = phases_by_kl.draw(metrics)
    without, with_term = lines(figure.axes[0])
    np.testing.assert_allclose(without, [[1.0, 16.0], [5.0, 1.0]])
    np.testing.assert_allclose(with_term, [[2.0, 16.16], [7.0, 1.01]])
    plt.close(figure)


def test_scalarised_labels_stand_on_no_line(metrics):
    metrics["runs"]["mo_odpo"]["nats_per_token"] = None
    figure = phase_diagram.draw(metrics)
    (without, _) = lines(figure.axes[0])
    np.testing.assert_allclose(without, [[0.1, 1.0], [1.6, 16.0]])  # mo_long takes its place
    plt.close(figure)
