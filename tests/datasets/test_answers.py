"""Pairs made of a base's answers, by hand."""

import numpy as np
import pytest

from moa.datasets.answers import best_answers, contrasts, pairs

# Two prompts, three answers, two objectives: they trade off in the first, and one answer is the best in
# the second.
REWARDS = np.array([[[0.0, 2.0], [1.0, 1.0], [3.0, 0.0]], [[0.0, 0.0], [2.0, 2.0], [1.0, 1.0]]])


def test_the_best_answers_by_each_objective_and_by_rank():
    assert best_answers(REWARDS).tolist() == [[2, 0], [1, 1]]
    assert best_answers(REWARDS, 1).tolist() == [[1, 1], [2, 2]]


def test_contrast_is_what_the_objective_that_loses_least_would_lose():
    std = REWARDS.reshape(-1, 2).std(axis=0)
    assert contrasts(REWARDS) == pytest.approx([min(3 / std[0], 2 / std[1]), 0])


def test_pairs_are_of_answers_that_differ_in_both_orders():
    assert pairs(REWARDS, 1) == [[(2, 0), (0, 2)], []]
    assert pairs(REWARDS, 3) == [
        [(2, 0), (0, 2)],
        [],
    ]  # the middle answer is nobody's best beside another


def test_three_objectives_make_six_pairs():
    rewards = np.eye(3)[None]
    assert pairs(rewards, 1) == [[(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]]
    assert contrasts(rewards)[0] > 0


def test_a_reward_that_never_varies_is_no_number_that_is_not_finite():
    assert np.isfinite(contrasts(np.zeros((2, 3, 2)))).all()
