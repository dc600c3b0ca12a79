"""The head on words: its features by hand, and fitted on a few made-up labels."""

import numpy as np
import pytest

from moa.oracles import word_head
from moa.oracles.fitting.labels import Labels, Row
from moa.oracles.fitting.objectives import LABELS
from moa.oracles.word_head import BINS, SCALE, features


def test_features_by_hand():
    x = features(["How do I bake?"], ["bake bake it"])
    assert x.shape == (1, BINS + 4)
    words = x[0, :BINS]
    # bake twice, it, "bake bake", "bake it": square roots of counts, at length SCALE
    assert sorted(words[words > 0] ** 2 * 5 / SCALE**2) == pytest.approx([1, 1, 1, 2])
    assert x[0, BINS:] == pytest.approx([np.log(4), 2 / 3, 1 / 2, 1 / 5])
    assert features(["a"], ["bake"], sees_prompt=False).shape == (1, BINS + 2)


def test_an_empty_response_is_a_text_like_others():
    assert not features(["How?"], [""]).any()


@pytest.fixture
def fitted(tmp_path, monkeypatch):
    """One that likes thanks, by 40 ratings and pairs."""
    rows = []
    for i in range(20):
        good, bad = f"thanks for asking number {i}", f"go away number {i}"
        rows.append(Row(f"question {i}", good, None, 1.0, 1.0, "rating"))
        rows.append(Row(f"question {i}", bad, None, 0.0, 1.0, "rating"))
        rows.append(Row(f"another {i}", good, bad, 1.0, 1.0, "pair"))
    labels = Labels(
        rows, "made up", {"real": [("question", "thanks")], "empty": [("question", "")]}
    )
    monkeypatch.setitem(LABELS, "helpfulness", lambda archive: labels)
    return tmp_path, word_head.fit("helpfulness", {}, tmp_path)


def test_what_is_fitted_is_what_is_loaded_and_knows_held_out_labels(fitted):
    folder, report = fitted
    assert report["heldout"]["rating"]["auc"] == 1.0
    assert report["heldout"]["pair"]["pair_accuracy"] == 1.0
    oracle = word_head.load("helpfulness", {}, folder)
    kind, rude = oracle.score(["a new one"] * 2, ["thanks for all", "go away at once"])
    assert kind > rude
    assert report["real_response_score"] == oracle.score(["question"], ["thanks"])[0]


def test_a_head_of_another_objective_is_refused(fitted):
    with pytest.raises(ValueError, match="fitted for helpfulness, not humor"):
        word_head.load("humor", {}, fitted[0])
    with pytest.raises(ValueError, match="has not been fitted"):
        word_head.load("humor", {}, None)
    with pytest.raises(ValueError, match="no labels for 'speed'"):
        word_head.fit("speed", {}, fitted[0])
