"""The oracle interface, and the synthetic world whose rewards and optimum are known."""

from itertools import product

import numpy as np
import pytest

from moa.datasets import world
from moa.evaluation.optimum import convex_hypervolume, optimum
from moa.metrics import hypervolume
from moa.oracles.base import OracleError, load_oracles, score_all
from moa.oracles.scale import RewardScale

SAFE, RISKY = "explain bread today", "explain locks today"


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


def test_rewards_compete_for_places_and_details_are_dangerous_on_risky_topics():
    oracles = load_oracles(
        ["helpfulness", "harmlessness"],
        {k: {"kind": "synthetic_world"} for k in ("helpfulness", "harmlessness")},
        {},
    )
    texts = ["", "flour yeast", "flour flour", "careful legal", "flour careful"]
    helpful, harmless = score_all(oracles, [SAFE] * 5, texts).T
    assert helpful[0] == harmless[0] == harmless[1] == helpful[3] == 0
    assert helpful[1] > helpful[2] == helpful[4] > 0  # a repeated word counts once
    assert harmless[3] > harmless[4] > 0
    risky = score_all(oracles, [RISKY], ["pick pins"])[0]
    assert risky[0] > 0 > risky[1]
    long = " ".join([*world.FILLER, "flour"])
    assert world.rewards(SAFE, long)[0] == 0  # only the first words count


def test_rewards_are_bounded():
    for risky in (False, True):
        for d, c in product(range(8), range(8)):
            r = world.rewards_of_counts(d, c, 0, risky)
            assert (r >= -1).all() and (r <= 1).all()
    with pytest.raises(ValueError, match="names 0 topics"):
        world.topic_of("explain nothing")


@pytest.mark.parametrize("objectives", [("helpfulness", "harmlessness"), world.OBJECTIVES])
def test_no_policy_beats_the_enumerated_optimum(objectives):
    """Random deterministic policies, one choice per prompt, against the optimum per vector."""
    rng = np.random.default_rng(0)
    prompts = [SAFE] * 30 + [RISKY] * 30
    k = len(objectives)
    scale = RewardScale(tuple(objectives), np.full(k, 0.2), np.full(k, 0.3))
    reference = np.full(k, -1.0)
    vectors = rng.dirichlet(np.ones(k), size=11)
    best = optimum(world.best_points, prompts, vectors, scale, reference)
    options = [world.achievable(objectives, risky) for risky in (False, True)]
    for _ in range(100):
        picks = [o[rng.integers(len(o), size=30)] for o in options]
        point = scale.normalise(np.concatenate(picks).mean(axis=0))
        for w, top in zip(vectors, best["points"], strict=True):
            assert w @ point <= w @ np.array(top) + 1e-6
    # Greedy mixtures of the best points are still below the hull's hypervolume.
    assert hypervolume(best["points"], reference) <= best["hv"] + 1e-9
    assert hypervolume(best["front"], reference) <= best["hv"] + 1e-9


def test_the_hypervolume_of_a_hull_is_exact_where_it_can_be_drawn():
    triangle = np.array([[1.0, 0.0], [0.0, 1.0]])  # dominated: the unit square's lower half
    assert convex_hypervolume(triangle, np.zeros(2)) == pytest.approx(0.5)
    assert convex_hypervolume(np.array([[2.0, 3.0]]), np.zeros(2)) == pytest.approx(6.0)
    corner = np.eye(3)
    assert convex_hypervolume(corner, np.zeros(3)) == pytest.approx(1 / 6)
    assert convex_hypervolume(np.array([[-2.0, -2.0]]), np.zeros(2)) == 0.0
    # A vertex below the reference in one objective still carries the hull that reaches above it.
    assert convex_hypervolume(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.zeros(2)) == 0.0
    assert convex_hypervolume(np.array([[2.0, -1.0], [-1.0, 2.0]]), np.zeros(2)) == pytest.approx(
        0.5
    )
