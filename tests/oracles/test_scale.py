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
