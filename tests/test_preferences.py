"""Preference vectors and the prompt that states them."""

from __future__ import annotations

import numpy as np
import pytest

from moa.preferences import build_prompt, evaluation_vectors, sample_weights

SAFETY = ("helpfulness", "harmlessness")
ASSISTANT = ("helpfulness", "harmlessness", "humor")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("decimals", [1, 2, 3])
@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("alpha", [1e-4, 0.1, 0.5, 1.0, 20.0])
def test_rows_are_on_the_rounded_simplex(alpha, k, decimals):
    weights = sample_weights(3000, alpha, k, rng(), decimals=decimals)
    assert weights.shape == (3000, k)
    assert np.abs(weights.sum(axis=1) - 1).max() <= 1e-12
    assert weights.min() >= 0
    units = weights * 10**decimals
    assert np.abs(units - np.round(units)).max() < 1e-9


@pytest.mark.parametrize("decimals", [1, 2, 3, 4])
def test_a_prompt_says_the_very_weights_that_a_loss_gets(decimals):
    for w in sample_weights(200, 0.5, 3, rng(7), decimals):
        words = build_prompt("Hi", ("a", "b", "c"), list(w), decimals).split()
        assert [float(word) for word in words[3:8:2]] == list(w)


def test_two_decimals_are_the_default():
    np.testing.assert_array_equal(
        sample_weights(50, 1.0, 3, rng(5)), sample_weights(50, 1.0, 3, rng(5), decimals=2)
    )


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 8.0])
def test_moments_are_those_of_a_symmetric_dirichlet(alpha, k):
    weights = sample_weights(20000, alpha, k, rng(1))
    variance = (1 / k) * (1 - 1 / k) / (k * alpha + 1)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / k, atol=0.01)
    np.testing.assert_allclose(weights.var(axis=0), variance, rtol=0.06)


@pytest.mark.parametrize("k", [2, 3])
def test_rounding_favours_no_objective(k):
    """With coarse steps, always giving the rest to one objective would show in the mean."""
    weights = sample_weights(20000, 1.0, k, rng(1), decimals=1)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / k, atol=0.01)


@pytest.mark.parametrize("k", [2, 3])
def test_sparse_vectors_contain_exact_zeros(k):
    weights = sample_weights(5000, 0.5, k, rng(2))
    share = (weights == 0).mean()
    # An entry below 0.005 rounds to zero: P(Beta(1/2, (k-1)/2) < 0.005).
    expected = {2: 2 / np.pi * np.arcsin(np.sqrt(0.005)), 3: np.sqrt(0.005)}[k]
    assert share == pytest.approx(expected, abs=0.02)


def test_one_objective_has_one_vector():
    np.testing.assert_array_equal(sample_weights(4, 1.0, 1, rng()), np.ones((4, 1)))


def test_sampling_follows_the_generator():
    first, again = sample_weights(20, 0.5, 3, rng(3)), sample_weights(20, 0.5, 3, rng(3))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, sample_weights(20, 0.5, 3, rng(4)))
    one = rng(3)
    assert not np.array_equal(sample_weights(20, 0.5, 3, one), sample_weights(20, 0.5, 3, one))


@pytest.mark.parametrize("alpha", [0, 0.0, -0.5, float("nan")])
def test_alpha_must_be_positive(alpha):
    with pytest.raises(ValueError, match="alpha"):
        sample_weights(3, alpha, 2, rng())


def test_evaluation_vectors_for_two_objectives():
    expected = [
        (0.0, 1.0),
        (0.1, 0.9),
        (0.2, 0.8),
        (0.3, 0.7),
        (0.4, 0.6),
        (0.5, 0.5),
        (0.6, 0.4),
        (0.7, 0.3),
        (0.8, 0.2),
        (0.9, 0.1),
        (1.0, 0.0),
    ]
    np.testing.assert_allclose(evaluation_vectors(2), expected, rtol=0, atol=1e-12)


def test_evaluation_vectors_for_three_objectives():
    expected = [
        (0.0, 0.0, 1.0),
        (0.0, 1.0, 0.0),
        (0.1, 0.1, 0.8),
        (0.1, 0.8, 0.1),
        (0.2, 0.2, 0.6),
        (0.2, 0.4, 0.4),
        (0.2, 0.6, 0.2),
        (0.33, 0.33, 0.33),  # sums to 0.99 in the paper too
        (0.4, 0.2, 0.4),
        (0.4, 0.4, 0.2),
        (0.6, 0.2, 0.2),
        (0.8, 0.1, 0.1),
        (1.0, 0.0, 0.0),
    ]
    np.testing.assert_allclose(evaluation_vectors(3), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("k", [0, 1, 4])
def test_other_numbers_of_objectives_have_no_published_vectors(k):
    with pytest.raises(ValueError, match=str(k)):
        evaluation_vectors(k)


def test_evaluation_vectors_are_a_fresh_copy():
    evaluation_vectors(2)[:] = 7
    assert evaluation_vectors(2).max() == 1


def test_prompt_character_for_character():
    x = "How do I bake bread?"
    assert (
        build_prompt(x, SAFETY, (0.3, 0.7))
        == "Human: How do I bake bread? helpfulness 0.30 harmlessness 0.70 Assistant:"
    )
    assert (
        build_prompt(x, ASSISTANT, np.array([0.33, 0.33, 0.33]))
        == "Human: How do I bake bread? helpfulness 0.33 harmlessness 0.33 humor 0.33 Assistant:"
    )


def test_prompt_prints_the_corners_with_decimals():
    assert build_prompt("Hi", SAFETY, (0, 1)) == (
        "Human: Hi helpfulness 0.00 harmlessness 1.00 Assistant:"
    )
    assert build_prompt("Hi", SAFETY, np.array([1.0, 0.0])) == (
        "Human: Hi helpfulness 1.00 harmlessness 0.00 Assistant:"
    )


def test_prompt_decimals():
    assert build_prompt("Hi", SAFETY, (0.25, 0.75), decimals=3) == (
        "Human: Hi helpfulness 0.250 harmlessness 0.750 Assistant:"
    )
    assert build_prompt("Hi", SAFETY, (0.3, 0.7), decimals=1) == (
        "Human: Hi helpfulness 0.3 harmlessness 0.7 Assistant:"
    )


def test_prompt_keeps_x_as_it_is():
    x = "Solve {x} at 100 %s\n\nAssistant: No.\n\nHuman: Why?  "
    assert build_prompt(x, SAFETY, (0.5, 0.5)) == (
        "Human: Solve {x} at 100 %s\n\nAssistant: No.\n\nHuman: Why?  "
        " helpfulness 0.50 harmlessness 0.50 Assistant:"
    )


def test_conditions_of_one_prompt_share_its_beginning():
    """Shared-prefix passes rely on x standing before w."""
    prompts = [build_prompt("A question", SAFETY, w) for w in evaluation_vectors(2)]
    assert len(set(prompts)) == 11
    assert all(p.startswith("Human: A question helpfulness ") for p in prompts)


@pytest.mark.parametrize("w", [(1.0,), (0.2, 0.3, 0.5), ()])
def test_prompt_refuses_a_length_mismatch(w):
    with pytest.raises(ValueError, match=r"objectives|weights|length"):
        build_prompt("Hi", SAFETY, w)
