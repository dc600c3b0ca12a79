"""Where a spread comes from: made-up rewards whose three parts are known."""

import numpy as np
import pytest

from moa.evaluation.bootstrap import Statistic, prompt_counts, resampled_points
from moa.evaluation.spread import Spread, split

PROMPTS, AGAIN, SAMPLES, SEEDS = 400, 100, 6, 60


def mean(rewards):
    return float(rewards.mean())


def parts(seeds, prompts, sampling, n_seeds=SEEDS):
    """Of the mean reward of a policy under one vector, from rewards that vary by so much."""
    rng = np.random.default_rng(0)
    shared = rng.normal(0, prompts, PROMPTS)
    rewards, repeats = {}, {}
    for seed in range(n_seeds):
        policy = rng.normal(0, seeds)
        noise = rng.normal(0, sampling, (SAMPLES, 1, PROMPTS, 1))
        drawn = policy + shared[None, None, :, None] + noise
        rewards[seed], repeats[seed] = drawn[0], drawn[:, :, :AGAIN]
    counts = prompt_counts(PROMPTS, 300, 0)
    resampled = [resampled_points(table, counts)[:, 0, 0] for table in rewards.values()]
    observed = np.array([mean(table) for table in rewards.values()])
    return split(Statistic(observed, np.stack(resampled, axis=1)), mean, rewards, repeats)


def test_the_three_parts_are_told_apart():
    found = parts(seeds=0.2, prompts=3.0, sampling=2.0)
    assert found.seeds == pytest.approx(0.2, rel=0.25)
    assert found.prompts == pytest.approx(3.0 / PROMPTS**0.5, rel=0.15)
    assert found.sampling == pytest.approx(2.0 / PROMPTS**0.5, rel=0.05)


def test_what_does_not_vary_has_no_part():
    found = parts(seeds=0.0, prompts=3.0, sampling=0.0)
    assert found.seeds == pytest.approx(0, abs=1e-12) and found.sampling < 1e-9
    assert parts(seeds=0.0, prompts=0.0, sampling=2.0).prompts < 0.5 * 2.0 / PROMPTS**0.5


def test_one_seed_and_prompts_answered_once_tell_nothing():
    assert parts(1.0, 1.0, 1.0, n_seeds=1).seeds is None
    one = Statistic(np.array([1.0]), np.ones((10, 1)))
    assert split(one, mean, {0: np.ones((1, 4, 2))}, {}) == Spread(None, None, None)


def test_repeats_of_other_prompts_are_refused():
    one = Statistic(np.array([1.0]), np.ones((10, 1)))
    with pytest.raises(ValueError, match="not to the first prompts"):
        split(one, mean, {0: np.ones((2, 8, 2))}, {0: np.zeros((3, 2, 2, 2))})
