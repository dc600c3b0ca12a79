"""Laws of sampling: a response depends on its prompt and its stream alone, and tokens on their logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from moa.models.decoding import columns_of
from moa.models.sampling import Sampling, generate, sample_tokens
from support.slow_sampling import EOS, Drawing, slow_sample
from support.tiny_models import BUILDERS, random_ids

VOCAB, NEW = 37, 6
MODELS = {family: build(vocab_size=VOCAB) for family, build in BUILDERS.items()}
NEAR = 1e-9  # where two ways to add up float64 may take another side
LOGITS = st.lists(
    st.sampled_from([-torch.inf, -3.0, 0.0, 0.0, 1.0]) | st.floats(-8, 8, width=32),
    min_size=1,
    max_size=20,
).filter(lambda row: max(row) > -torch.inf)
UNIFORMS = st.floats(0, 1, exclude_max=True)
TEMPERATURES = st.floats(0.2, 3)


def nucleus(logits: list[float], temperature: float, top_p: float) -> np.ndarray:
    """Probabilities, 0 outside the nucleus; of tokens that are as probable the first are taken."""
    p = np.exp((np.array(logits) - max(logits)) / temperature)
    p /= p.sum()
    inside, mass = np.zeros_like(p), 0.0
    for token in sorted(range(len(p)), key=lambda i: (-p[i], i)):
        assume(abs(mass - top_p) > NEAR)
        if mass < top_p or top_p == 1:
            inside[token] = p[token]
        mass += p[token]
    return inside


@settings(max_examples=200)
@given(LOGITS, UNIFORMS, TEMPERATURES, st.just(1.0) | st.floats(0.01, 1))
def test_a_token_is_drawn_by_inverse_cdf_in_the_order_of_the_vocabulary(logits, u, t, top_p):
    p = nucleus(logits, t, top_p)
    target, mass, expected = u * p.sum(), 0.0, None
    for token, share in enumerate(p):
        mass += share
        assume(u == 0 or abs(mass - target) > NEAR)
        if expected is None and mass > target:
            expected = token
    row = torch.tensor([logits])
    got = sample_tokens(row, torch.tensor([u], dtype=torch.float64), t, top_p)
    assert got.tolist() == [expected]


@given(LOGITS, TEMPERATURES, st.floats(0.01, 1))
def test_the_outermost_uniforms_draw_tokens_of_the_nucleus(logits, t, top_p):
    possible = np.flatnonzero(nucleus(logits, t, top_p))
    ends = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    got = sample_tokens(torch.tensor([logits, logits]), ends, t, top_p)
    assert got[0] == possible[0] and got[1] in possible


@pytest.mark.parametrize("family", BUILDERS)
@settings(max_examples=25)
@given(
    st.integers(0, 2**31),
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(1, 3),
    st.sampled_from([Drawing(), Drawing(1.4, 0.8)]),
    st.randoms(use_true_random=False),
)
def test_a_response_is_the_same_in_any_company(family, seed, lengths, n, how, random):
    """In any batch, order and batch size, and among any number of responses to its prompt."""
    model = MODELS[family]
    prompts = random_ids(lengths, torch.Generator().manual_seed(seed), vocab_size=VOCAB)
    rng = np.random.default_rng(seed)
    streams = rng.random((len(prompts), n, NEW))
    expected = [
        [slow_sample(model, prompt, streams[b, i], how, rng).tolist() for i in range(n)]
        for b, prompt in enumerate(prompts)
    ]
    some = random.sample(range(len(prompts)), random.randint(1, len(prompts)))
    siblings = random.sample(range(n), random.randint(1, n))
    batch_size = random.randint(1, len(some) + 1)
    got = generate(
        model,
        [prompts[b] for b in some],
        streams[some][:, siblings],
        Sampling(NEW, how.temperature, how.top_p, EOS, batch_size * columns_of(max(lengths), NEW)),
    )
    found = [[ids.tolist() for ids in row] for row in got]
    assert found == [[expected[b][i] for i in siblings] for b in some]
