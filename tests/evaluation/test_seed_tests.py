"""What training again could change: Student's t on paired differences over seeds."""

import pytest
from scipy.stats import ttest_rel

from moa.evaluation.seed_tests import paired

RUN, AGAINST = [3.07, 3.11, 3.17, 3.05, 3.2], [3.03, 3.03, 3.12, 3.06, 3.01]


def test_a_paired_test_is_scipys():
    found, theirs = paired(RUN, AGAINST), ttest_rel(RUN, AGAINST)
    low, high = theirs.confidence_interval(0.95)
    assert found.p == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.mean == pytest.approx(sum(RUN) / 5 - sum(AGAINST) / 5)


def test_it_is_paired():
    """Seeds that differ a lot, by the same in both runs, tell much."""
    found = paired([1.1, 2.1, 3.2], [1.0, 2.0, 3.0])
    assert found.p < 0.1 and found.improvement == pytest.approx(6 / 9)


def test_more_seeds_show_smaller_differences():
    few, many = paired(RUN, AGAINST), paired(RUN * 3, AGAINST * 3)
    assert 0 < many.detectable < few.detectable


def test_one_seed_tells_nothing():
    found = paired([2.0], [1.0])
    assert found.mean == 1.0 and (found.low, found.high, found.p) == (None,) * 3


@pytest.mark.parametrize(("run", "p"), [([1.0, 2.0], 1.0), ([2.0, 3.0], 0.0)])
def test_equal_differences_have_no_spread(run, p):
    found = paired(run, [1.0, 2.0])
    assert (found.p, found.detectable) == (p, 0.0) and found.low == found.high == found.mean


def test_as_many_seeds_on_both_sides():
    with pytest.raises(ValueError, match="as many seeds on both sides"):
        paired([1.0, 2.0], [1.0])
