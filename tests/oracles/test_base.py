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
