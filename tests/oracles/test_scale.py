"""The scale of rewards: measured once, read by all, and the same expression everywhere."""

import numpy as np
import pytest

from moa.oracles.scale import RewardScale
from moa.runtime.errors import JobError

OBJECTIVES = ["helpfulness", "harmlessness"]
RAW = np.array([[0.1, 3.0], [0.4, 1.0], [0.7, -2.0], [0.2, 0.5]])


def test_what_is_measured_is_what_is_read_to_the_last_bit(tmp_path):
    measured = RewardScale.measure(OBJECTIVES, RAW)
    measured.write(tmp_path, responses=len(RAW))
    turned = RewardScale.read(tmp_path, OBJECTIVES[::-1])
    assert turned.objectives == ("harmlessness", "helpfulness")
    assert (turned.mean == measured.mean[::-1]).all() and (turned.std == measured.std[::-1]).all()


def test_normalised_rewards_have_mean_zero_and_deviation_one():
    scale = RewardScale.measure(OBJECTIVES, RAW)
    normal = scale.normalise(RAW)
    assert normal.mean(axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert normal.std(axis=0, ddof=1) == pytest.approx([1, 1])
    pairs = RAW.reshape(2, 2, 2)  # any leading shape
    assert (scale.normalise(pairs).reshape(4, 2) == normal).all()
    assert (scale.of("harmlessness").normalise(RAW[:, 1]) == normal[:, 1]).all()
    assert scale.raw_columns == ["raw_helpfulness", "raw_harmlessness"]
    assert scale.norm_columns == ["norm_helpfulness", "norm_harmlessness"]


@pytest.mark.parametrize("value", [1.0, 0.1])  # of 0.1 four times the mean is not 0.1 in floats
@pytest.mark.parametrize("times", [1, 7])
def test_an_oracle_that_says_one_thing_only_is_named(value, times):
    first = np.tile(RAW[:, 0], times)
    constant = np.column_stack([first, np.full_like(first, value)])
    with pytest.raises(JobError, match="harmlessness has the same reward for every offline"):
        RewardScale.measure(OBJECTIVES, constant)


@pytest.mark.parametrize("size", [1e308, 1e-300])
def test_rewards_whose_deviation_is_past_all_floats_are_named(size):
    raw = np.column_stack([RAW[:, 0], size * np.array([1.0, -1.0, 1.0, -1.0])])
    with pytest.raises(
        JobError, match=r"harmlessness has rewards from -1e.* float64 cannot hold: let"
    ):
        RewardScale.measure(OBJECTIVES, raw)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_responses_have_no_scale(n):
    with pytest.raises(JobError, match=rf"has {n} offline responses, and a deviation needs two"):
        RewardScale.measure(OBJECTIVES, RAW[:n])
