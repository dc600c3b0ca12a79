"""Laws of preference vectors: a prompt says the very weights that a loss gets, and no two say the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from moa.preferences import build_prompt, sample_weights

DECIMALS = st.integers(1, 4)
SIZES = st.integers(1, 6)


def said(prompt: str, k: int) -> list[float]:
    """The weights that a prompt ends in."""
    words = prompt.removesuffix(" Assistant:").split(" ")[-2 * k :]
    return [float(word) for word in words[1::2]]


@given(
    k=SIZES,
    alpha=st.floats(1e-8, 1e8),
    decimals=DECIMALS,
    seed=st.integers(0, 2**32),
    x=st.text(max_size=8),
)
def test_sampled_weights_sum_to_one_and_a_prompt_says_them(k, alpha, decimals, seed, x):
    names = [f"objective_{i}" for i in range(k)]
    weights = sample_weights(20, alpha, k, np.random.default_rng(seed), decimals)
    unit = 10**decimals
    counts = np.round(weights * unit).astype(int)
    assert (counts >= 0).all() and (counts.sum(axis=1) == unit).all()
    assert (counts / unit == weights).all()
    for w in weights:
        assert said(build_prompt(x, names, list(w), decimals), k) == list(w)


@given(st.data(), SIZES, DECIMALS)
def test_two_vectors_have_one_prompt_only_if_they_are_one(data, k, decimals):
    steps = st.lists(st.integers(0, 10**decimals), min_size=k, max_size=k)
    first = data.draw(steps)
    second = data.draw(st.just(first) | steps)
    names = [f"o{i}" for i in range(k)]
    prompts = [
        build_prompt("x", names, [n / 10**decimals for n in w], decimals) for w in (first, second)
    ]
    assert (prompts[0] == prompts[1]) == (first == second)
