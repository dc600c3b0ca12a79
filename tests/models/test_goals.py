"""Rewards-in-Context: goals from preferences, their prompt, and the filter of its rounds."""

import numpy as np
import pytest

from moa.models.goals import build_goal_prompt, preference_to_goal, reaches_quantile

LOW, HIGH = [-1.0, -2.0], [3.0, 2.0]


@pytest.mark.parametrize("rule", ["l2", "linf", "linear"])
def test_a_corner_asks_for_one_maximum_and_the_other_minimum(rule):
    assert preference_to_goal([1.0, 0.0], LOW, HIGH, rule).tolist() == [3.0, -2.0]
    assert preference_to_goal([0.0, 1.0], LOW, HIGH, rule).tolist() == [-1.0, 2.0]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("l2", [0.6 / np.hypot(0.6, 0.8) * 4 - 1, 0.8 / np.hypot(0.6, 0.8) * 4 - 2]),
        ("linf", [0.75 * 4 - 1, 2.0]),
        ("linear", [0.6 / 1.4 * 4 - 1, 0.8 / 1.4 * 4 - 2]),
    ],
)
def test_goals_by_hand(rule, expected):
    assert preference_to_goal([0.6, 0.8], LOW, HIGH, rule) == pytest.approx(expected)


def test_wrong_rules_and_empty_preferences_are_named():
    with pytest.raises(ValueError, match="goal rule 'l1': choose one of l2, linf, linear"):
        preference_to_goal([0.5, 0.5], LOW, HIGH, "l1")
    with pytest.raises(ValueError, match="at least one weight must be above 0"):
        preference_to_goal([0.0, 0.0], LOW, HIGH, "l2")


def test_goals_stand_in_the_prompt_with_one_decimal_and_no_negative_zero():
    text = build_goal_prompt("hi", ["helpfulness", "harmlessness"], [0.54, -0.04])
    assert text == "Human: hi helpfulness 0.5 harmlessness 0.0 Assistant:"
    text = build_goal_prompt("hi", ["helpfulness", "harmlessness"], [-1.26, 2])
    assert text == "Human: hi helpfulness -1.3 harmlessness 2.0 Assistant:"


def test_a_sample_is_kept_for_any_objective_that_reaches_the_quantile():
    offline = np.stack([np.arange(11.0), np.arange(11.0)[::-1] * 10], axis=1)  # 0.7: 7 and 70
    rewards = np.array([[7.0, 0.0], [6.9, 69.0], [0.0, 70.0], [9.0, 99.0]])
    assert reaches_quantile(rewards, offline, 0.7).tolist() == [True, False, True, True]
    assert reaches_quantile(rewards, offline, 0.0).all()
