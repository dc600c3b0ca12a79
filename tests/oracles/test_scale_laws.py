"""Laws of the scale of rewards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moa.oracles.scale import RewardScale
from moa.runtime.errors import JobError

VALUES = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(st.data(), st.integers(2, 12), st.integers(1, 4))
def test_measuring_normalises_and_can_be_undone(data, n, k):
    raw = data.draw(arrays(float, (n, k), elements=VALUES))
    assume((np.ptp(raw, axis=0) > 1e-3).all())
    scale = RewardScale.measure([f"o{i}" for i in range(k)], raw)
    means = [sum(column) / n for column in raw.T.tolist()]
    squares = [
        sum((x - m) ** 2 for x in c) / (n - 1) for c, m in zip(raw.T.tolist(), means, strict=True)
    ]
    np.testing.assert_allclose(scale.mean, means, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scale.std, np.sqrt(squares), rtol=1e-9)
    normal = scale.normalise(raw)
    np.testing.assert_allclose(normal * scale.std + scale.mean, raw, rtol=1e-9, atol=1e-9)
    for i in range(k):
        assert (scale.of(f"o{i}").normalise(raw[:, i : i + 1])[:, 0] == normal[:, i]).all()


@given(VALUES, st.integers(2, 40), st.integers(0, 2))
def test_an_oracle_that_says_one_number_only_is_named_whatever_the_number(value, n, at):
    """The deviation of 0.1, 0.1, 0.1 is not 0 but what rounding leaves of it."""
    raw = np.arange(3.0 * n).reshape(n, 3)
    raw[:, at] = value
    with pytest.raises(JobError, match=f"objective o{at} has the same reward"):
        RewardScale.measure(["o0", "o1", "o2"], raw)
