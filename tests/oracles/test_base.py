"""The oracle interface: what an oracle returns is checked before it is used."""

import numpy as np
import pytest

from moa.oracles.base import OracleError, score_all


class Fixed:
    def __init__(self, scores):
        self.objective, self.scores = "helpfulness", scores

    def score(self, prompts, responses):
        return np.array(self.scores)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([1.0, float("nan")], r"oracle helpfulness returned nan for the prompt 'second'"),
        ([1.0, float("inf")], r"returned inf for the prompt 'second' and the response 'b'"),
        ([1.0], r"oracle helpfulness returned shape \(1,\) for 2 responses.*'first'"),
    ],
)
def test_an_oracle_that_returns_no_rewards_is_named_with_the_prompt(scores, said):
    with pytest.raises(OracleError, match=said):
        score_all([Fixed(scores)], ["first", "second"], ["a", "b"])


def test_an_oracle_that_changes_its_lists_changes_them_for_no_other():
    class Shouting(Fixed):
        def score(self, prompts, responses):
            prompts.reverse()
            responses[:] = [y.upper() for y in responses]
            return super().score(prompts, responses)

    class Capitals(Fixed):
        def score(self, prompts, responses):
            pairs = zip(prompts, responses, strict=True)
            return np.array([y.isupper() + 2 * (x == "first") for x, y in pairs])

    prompts, responses = ["first", "second"], ["a", "b"]
    scores = score_all([Shouting([0.0, 1.0]), Capitals([])], prompts, responses)
    assert scores.tolist() == [[0.0, 2.0], [1.0, 0.0]]
    assert (prompts, responses) == (["first", "second"], ["a", "b"])


def test_equal_pairs_are_scored_once():
    class Counting(Fixed):
        def score(self, prompts, responses):
            return np.arange(float(len(prompts)))  # what stands first of each pair

    prompts, responses = ["p", "q", "p", "p", "q"], ["a", "a", "b", "a", "a"]
    scores = score_all([Counting([])], prompts, responses)
    assert scores[:, 0].tolist() == [0.0, 1.0, 2.0, 0.0, 1.0]
    assert score_all([Counting([])], [], []).shape == (0, 1)


def test_a_text_of_a_million_characters_is_not_told_whole():
    with pytest.raises(OracleError, match="1000002 characters") as caught:
        score_all([Fixed([float("nan")])], ["x" * 1_000_000], ["a"])
    assert len(str(caught.value)) < 500
