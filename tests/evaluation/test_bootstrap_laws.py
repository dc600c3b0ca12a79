"""Laws of resampling: all at once is one by one, and every prompt drawn once is what was observed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moa.evaluation.bootstrap import hypervolumes, resampled_dispersion, resampled_points
from moa.metrics import conditional_reward_dispersion, hypervolume

REWARDS = st.floats(-20, 20).map(lambda x: round(x, 3))


@given(st.data(), st.sampled_from([2, 3]), st.integers(0, 6))
def test_hypervolumes_of_many_fronts_are_those_of_each(data, k, m):
    values = data.draw(st.sampled_from([REWARDS, st.integers(-2, 3).map(float)]))
    fronts = data.draw(arrays(float, (data.draw(st.integers(1, 4)), m, k), elements=values))
    reference = data.draw(arrays(float, k, elements=st.sampled_from([-1.0, -0.5, 0.0])))
    expected = [hypervolume(front, reference) for front in fronts]
    np.testing.assert_allclose(hypervolumes(fronts, reference), expected, rtol=1e-9, atol=1e-9)


@given(st.data(), st.integers(1, 3), st.integers(1, 4), st.integers(4, 8))
def test_every_prompt_once_is_what_was_observed(data, k, m, p):
    rewards = data.draw(arrays(float, (m, p, k), elements=REWARDS))
    once = np.ones((1, p))
    np.testing.assert_allclose(resampled_points(rewards, once)[0], rewards.mean(axis=1), atol=1e-9)
    observed = conditional_reward_dispersion(list(rewards))
    assert resampled_dispersion(rewards, once)[0] == pytest.approx(observed, rel=1e-8, abs=1e-4)
