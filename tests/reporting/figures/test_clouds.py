"""Distributions of rewards and how far they overlap."""

from __future__ import annotations

import numpy as np
import pytest

from moa.reporting.figures import clouds
from support.made_up_figures import draw, draw_from, note, results, titles


def test_distributions_survive_gaps_and_collinear_rewards() -> None:
    metrics, scores = results()
    scores["norm_harmlessness"] = 1 - scores["norm_helpfulness"]
    ours = scores["run"].isin(["mi_epo", "mo_odpo"])
    scores.loc[ours & (scores["vector"] == 0), "norm_helpfulness"] = np.nan
    scores.loc[ours & (scores["vector"] == 10), "norm_helpfulness"] = 0.25
    for name in ("reward_distributions", "reward_overlap"):
        draw_from(name, metrics, scores=scores).draw_without_rendering()
        draw_from(name, metrics, scores=scores.iloc[:0]).draw_without_rendering()


def test_the_run_shown_follows_preferences() -> None:
    spreads = {"rlhf": 1.0, "mine": 1.0, "mo_odpo": 1.0}
    figure = draw("reward_overlap", spreads=spreads, method={"mine": "mo_odpo"})
    assert titles(figure)[0] == "label of mo_odpo: rewards under each w"
    figure = draw("reward_overlap", spreads={"rlhf": 1.0, "ric": 1.0})
    assert titles(figure)[0] == "label of ric: rewards under each w"
    figure = draw("reward_distributions", spreads={"rlhf": 1.0, "ric": 1.0, "sft": 0.0})
    assert set(titles(figure)) == {"label of ric", "label of sft"}
    for name in ("reward_overlap", "reward_distributions"):
        assert "No run follows preference vectors" in note(draw(name, spreads={"rlhf": 1.0}))


def test_overlap_of_normals() -> None:
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(4000, 2))
    constant_rewards, nothing = np.ones((5, 2)), np.empty((0, 2))
    found = clouds.overlap([cloud, cloud + np.array([3, 0]), 2 * cloud, constant_rewards, nothing])
    assert np.diag(found)[:4] == pytest.approx(1)
    assert found[0, 1] == pytest.approx(np.exp(-9 / 8), rel=0.03)  # unit variances, 3 apart
    assert found[0, 2] == pytest.approx(0.8, rel=0.01)  # (2 * 1 * 2 / (1 + 4)) per dimension
    assert found[0, 3] < 0.05 and np.isnan(found[4]).all()
    assert (found[:4, :4] == found[:4, :4].T).all()
    assert clouds.mean_overlap(found[:1, :1]) != clouds.mean_overlap(found[:1, :1])  # no pair


def test_overlap_matrix_is_of_the_scores() -> None:
    metrics, scores = results(prompts=200, sd=0.5, spreads={"mo_odpo": 0.0})
    moved = scores["vector"] == 10
    scores.loc[moved, "norm_helpfulness"] += 50
    panel = draw_from("reward_overlap", metrics, scores=scores).axes[1]
    shown = panel.images[0].get_array()
    assert shown.shape == (11, 11) and shown[10, :10].max() < 0.01 and shown[9, :9].min() > 0.95
    assert np.isnan(np.ma.filled(shown, np.nan)[np.triu_indices(11)]).all()
    assert {text.get_text() for text in panel.texts if text.get_position()[1] == 10} == {"0"}
