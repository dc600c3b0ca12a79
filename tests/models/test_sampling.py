"""Sampling against a slow loop: one row, no cache, a full forward pass for every token."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from moa.models.decoding import columns_of
from moa.models.sampling import Sampling, generate, sample_tokens
from moa.runtime.errors import JobError
from support.slow_sampling import EOS, Drawing, slow_sample, token_distribution
from support.tiny_models import (
    BUILDERS,
    WINDOWED,
    random_ids,
    tiny_gpt2,
    tiny_llama,
    with_lora,
)

VOCAB = 37
FAMILIES = list(BUILDERS)
PLAIN = Drawing()


def make_case(model, seed: int, *, lengths=(3, 8, 5), n: int = 2, t: int = 8, how=PLAIN):
    """Prompts, streams kept off the edges, and what the slow loop samples with them."""
    generator = torch.Generator().manual_seed(seed)
    prompts = random_ids(lengths, generator, vocab_size=VOCAB)
    rng = np.random.default_rng(seed)
    streams = rng.random((len(prompts), n, t))
    expected = [
        [slow_sample(model, prompt, streams[b, i], how, rng) for i in range(n)]
        for b, prompt in enumerate(prompts)
    ]
    return prompts, streams, expected


def sample(model, prompts, streams, how=PLAIN, *, batch_size=4, eos=EOS):
    new = streams.shape[2]
    cache_tokens = batch_size * columns_of(max(map(len, prompts), default=0), new)
    sampling = Sampling(new, how.temperature, how.top_p, eos, cache_tokens)
    return generate(model, prompts, streams, sampling)


def as_lists(samples) -> list[list[list[int]]]:
    return [[ids.tolist() for ids in row] for row in samples]


@pytest.mark.parametrize(
    "how",
    [Drawing(), Drawing(0.7, 1.0), Drawing(1.0, 0.8), Drawing(1.3, 0.5)],
    ids=["plain", "cooler", "nucleus", "both"],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_same_as_the_slow_loop(family, how):
    model = BUILDERS[family](vocab_size=VOCAB)
    prompts, streams, expected = make_case(model, seed=1, how=how)
    got = sample(model, prompts, streams, how)
    assert as_lists(got) == as_lists(expected)
    lengths = {len(ids) for row in got for ids in row}
    assert max(lengths) > 1
    for row in got:
        for ids in row:
            assert ids.ndim == 1
            assert ids.dtype == torch.long


def test_same_as_the_slow_loop_through_a_lora_adapter():
    base = tiny_llama(vocab_size=VOCAB)
    model = with_lora(base)
    prompts, streams, expected = make_case(model, seed=2)
    assert as_lists(sample(model, prompts, streams)) == as_lists(expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_do_not_depend_on_the_batch(family):
    model = BUILDERS[family](vocab_size=VOCAB)
    prompts, streams, expected = make_case(model, seed=3, lengths=(2, 11, 4, 7, 4), n=2, t=6)
    expected = as_lists(expected)
    for batch_size in (1, 3, 10, 64):
        got = as_lists(sample(model, prompts, streams, batch_size=batch_size))
        assert got == expected, batch_size
    order = [3, 0, 4, 2, 1]
    got = as_lists(sample(model, [prompts[b] for b in order], streams[order]))
    assert got == [expected[b] for b in order]
    assert as_lists(sample(model, prompts[1:2], streams[1:2])) == expected[1:2]
    swapped = as_lists(sample(model, prompts, streams[:, ::-1]))
    assert swapped == [row[::-1] for row in expected]


def test_each_sample_follows_its_own_stream():
    model = tiny_llama(vocab_size=VOCAB)
    prompts, streams, _ = make_case(model, seed=4, lengths=(5, 5), n=3, t=8)
    prompts[1], streams[1] = prompts[0], streams[0]
    streams[:, 2] = streams[:, 0]
    got = as_lists(sample(model, prompts, streams))
    assert got[0] == got[1]
    assert got[0][0] == got[0][2]
    assert got[0][0] != got[0][1]


def test_a_longer_limit_only_adds_tokens():
    model = tiny_llama(vocab_size=VOCAB)
    prompts, streams, _ = make_case(model, seed=5, t=9)
    long = as_lists(sample(model, prompts, streams))
    short = as_lists(sample(model, prompts, streams[:, :, :4]))
    assert short == [[ids[:4] for ids in row] for row in long]


def test_stops_at_the_end_token_and_keeps_it():
    """Whatever id ends a response, the tokens before it are the same."""
    model = tiny_llama(vocab_size=VOCAB)
    prompts, streams, _ = make_case(model, seed=6, lengths=(3, 6, 4, 9), n=3, t=10)
    rng = np.random.default_rng(6)
    endless = [
        [slow_sample(model, p, streams[b, i], Drawing(), rng, eos=-1).tolist() for i in range(3)]
        for b, p in enumerate(prompts)
    ]
    inner = [token for row in endless for ids in row for token in ids[1:-1]]
    eos = max(set(inner), key=inner.count)
    got = as_lists(sample(model, prompts, streams, eos=eos))
    finished = 0
    for row, endless_row in zip(got, endless, strict=True):
        for ids, full in zip(row, endless_row, strict=True):
            assert ids == (full[: full.index(eos) + 1] if eos in full else full)
            finished += ids[-1] == eos and len(ids) < 10
    assert 1 <= finished < 12, "some responses must end early, some must not"


@pytest.mark.parametrize("top_p", [1.0, 0.6])
def test_frequencies_are_the_distribution(top_p):
    model = tiny_gpt2(vocab_size=VOCAB)
    how = Drawing(temperature=1.6, top_p=top_p)
    prompt = torch.tensor([4, 9, 2, 30])
    n = 4000
    streams = np.random.default_rng(8).random((1, n, 1))
    got = sample(model, [prompt], streams, how, batch_size=1000)
    counts = np.bincount([int(ids[0]) for ids in got[0]], minlength=VOCAB)
    expected = n * token_distribution(model, prompt, how)
    assert not counts[expected == 0].any(), "nothing from outside the nucleus"
    common = expected > 5
    assert common.sum() >= 4
    observed = np.append(counts[common], counts[~common].sum())
    wanted = np.append(expected[common], expected[~common].sum())
    kept = wanted > 0
    assert chisquare(observed[kept], wanted[kept]).pvalue > 1e-3


@pytest.mark.parametrize("top_p", [1.0, 0.4])
@pytest.mark.parametrize("u", [0.0, 1 - 2**-53], ids=["lowest", "highest"])
def test_uniforms_at_the_ends_of_their_range(u, top_p):
    """Rounding the largest double below one to float32 gives one, beyond the last edge."""
    model = tiny_llama(vocab_size=VOCAB)
    prompts = [torch.tensor([4, 9, 2]), torch.tensor([7, 7, 8, 3, 12])]
    got = sample(model, prompts, np.full((2, 1, 1), u), Drawing(top_p=top_p))
    for prompt, row in zip(prompts, got, strict=True):
        p = token_distribution(model, prompt, Drawing(top_p=top_p))
        possible = np.flatnonzero(p)
        if top_p < 1:
            assert int(row[0][0]) == (possible[0] if u == 0 else possible[-1])
        else:
            # The outermost tokens may be too rare to be told apart from nothing in float32.
            token = int(row[0][0])
            outside = p[:token].sum() if u == 0 else p[token + 1 :].sum()
            assert 0 <= token < VOCAB
            assert outside < 1e-6


@pytest.mark.parametrize("top_p", [1.0, 0.9])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_temperature_takes_the_most_probable_token(family, top_p):
    model = BUILDERS[family](vocab_size=VOCAB)
    prompts = random_ids((3, 7, 5), torch.Generator().manual_seed(9), vocab_size=VOCAB)
    streams = np.random.default_rng(9).random((3, 2, 6))
    got = sample(model, prompts, streams, Drawing(1e-6, top_p))
    for prompt, row in zip(prompts, got, strict=True):
        ids, best = prompt, []
        while len(best) < 6 and EOS not in best:
            with torch.no_grad():
                best.append(int(model(input_ids=ids[None]).logits[0, -1].argmax()))
            ids = torch.cat([ids, torch.tensor(best[-1:])])
        assert [r.tolist() for r in row] == [best, best]


def test_a_tiny_nucleus_is_greedy():
    """The smallest set that reaches top_p always holds the most probable token."""
    model = tiny_llama(vocab_size=VOCAB)
    prompts, streams, _ = make_case(model, seed=10, n=3, t=5)
    nucleus = sample(model, prompts, streams, Drawing(top_p=1e-6))
    greedy = sample(model, prompts, streams, Drawing(temperature=1e-6))
    assert as_lists(nucleus) == as_lists(greedy)


def test_among_many_tokens_that_are_as_probable_the_nucleus_is_the_first():
    uniforms = torch.linspace(0, 0.999, 50, dtype=torch.float64)
    got = sample_tokens(torch.zeros(50, 1000), uniforms, 1.0, 0.5)
    assert got.tolist() == [int(500 * u) for u in uniforms.tolist()]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training):
    model = tiny_gpt2(vocab_size=VOCAB, dropout=0.5)
    prompts, streams, expected = make_case(model, seed=11)  # the model is in eval mode here
    model.train(training)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    tracked = []
    model.register_forward_hook(lambda *call: tracked.append(call[-1].logits.requires_grad))
    got = sample(model, prompts, streams)
    assert tracked
    assert not any(tracked), "a graph over all decoding steps would fill the memory"
    assert as_lists(got) == as_lists(expected), "dropout must be off while sampling"
    assert torch.equal(torch.get_rng_state(), state), "all randomness comes from the streams"
    assert model.training is training
    assert all(module.training is training for module in model.modules())
    assert torch.is_grad_enabled()
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad
        assert parameter.grad is None
        assert torch.equal(parameter, before[name])
    assert not any(ids.requires_grad for row in got for ids in row)


def test_the_training_flag_is_restored_after_an_error():
    model = tiny_llama(vocab_size=VOCAB).train()
    too_large = [torch.tensor([3, VOCAB + 5])]  # not in the embedding
    with pytest.raises(IndexError):
        sample(model, too_large, np.full((1, 1, 2), 0.5))
    assert model.training
    assert torch.is_grad_enabled()


def test_streams_must_fit_the_prompts():
    model = tiny_llama(vocab_size=VOCAB)
    prompts = [torch.tensor([3, 4]), torch.tensor([5])]
    with pytest.raises(ValueError, match="streams"):
        sample(model, prompts, np.full((3, 1, 2), 0.5))
    with pytest.raises(ValueError, match="streams"):
        generate(model, prompts, np.full((2, 1, 2), 0.5), Sampling(5, 1.0, 1.0, EOS, 2))


@pytest.mark.parametrize("top_p", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("spread", [0.0, 0.01, 2.0, 8.0])
@pytest.mark.parametrize("levels", [2, 50, 10**6])
def test_a_nucleus_is_that_of_a_whole_sort(top_p, spread, levels):
    """From a few tokens to nearly all of a wide vocabulary, with as many or as few ties."""
    logits = torch.randn(6, 3000, generator=torch.Generator().manual_seed(0))
    logits = (logits * levels).round() / levels * spread
    probs = torch.softmax(logits.double(), dim=1)
    ordered, order = probs.sort(dim=1, descending=True, stable=True)
    outside = ordered.cumsum(dim=1) - ordered >= top_p
    cdf = probs.masked_fill(outside.scatter(1, order, outside), 0.0).cumsum(dim=1)
    for u in torch.linspace(0, 1 - 1e-12, 23, dtype=torch.float64):
        uniforms = u.repeat(6)
        expected = torch.searchsorted(cdf, uniforms[:, None] * cdf[:, -1:], right=True)[:, 0]
        assert torch.equal(sample_tokens(logits, uniforms, 1.0, top_p), expected.clamp(max=2999))


@pytest.mark.parametrize(("temperature", "top_p"), [(0.0, 1.0), (1.0, 0.0), (1.0, 1.1)])
def test_a_temperature_or_a_nucleus_that_is_none_is_refused(temperature, top_p):
    with pytest.raises(ValueError, match="must be above 0"):
        Sampling(5, temperature, top_p, EOS, 2)


@pytest.mark.parametrize("top_p", [1.0, 0.9])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_token_is_drawn_from_what_is_no_distribution(value, top_p):
    logits = torch.zeros(3, 10)
    logits[1] = value
    with pytest.raises(JobError, match=r"rows \[1\]"):
        sample_tokens(logits, torch.full((3,), 0.5), 1.0, top_p)
    logits[1, 4] = 0.0 if value == -float("inf") else value
    if value == -float("inf"):  # one token is left, and that is a distribution
        assert sample_tokens(logits, torch.full((3,), 0.5), 1.0, top_p)[1] == 4


def test_a_policy_that_is_not_finite_is_named_with_its_prompt():
    model = tiny_llama(vocab_size=VOCAB)
    prompts, streams, _ = make_case(model, seed=10, lengths=(3, 6), t=1)
    sampling = Sampling(1, 1.0, 1.0, EOS, 2, shown=lambda ids: f"the prompt of {len(ids)}")
    with torch.no_grad():
        for token in set(prompts[1].tolist()) - set(prompts[0].tolist()):
            model.model.embed_tokens.weight[token] = torch.nan
    with pytest.raises(
        JobError, match=r"'the prompt of 6' and 0 sampled tokens.*lower learning rate"
    ):
        generate(model, prompts, streams, sampling)


@pytest.mark.parametrize("batch_size", [1, 4, 6, 64])
@pytest.mark.parametrize("family", [*FAMILIES, *WINDOWED])
def test_prompts_that_begin_alike_are_answered_as_if_alone(family, batch_size):
    """Their shared part is read once; of windows that would count its padding, it is not."""
    model = (BUILDERS | WINDOWED)[family](vocab_size=VOCAB)
    generator = torch.Generator().manual_seed(11)
    prompts = [
        torch.cat([prefix, rest])
        for prefix in random_ids([9, 3, 14], generator, vocab_size=VOCAB)
        for rest in random_ids([2, 4, 3], generator, vocab_size=VOCAB)
    ]
    streams = np.random.default_rng(11).random((9, 2, 7))
    expected = [
        [slow_sample(model, p, streams[b, i], Drawing(), np.random.default_rng(0)) for i in (0, 1)]
        for b, p in enumerate(prompts)
    ]
    sampling = Sampling(7, 1.0, 1.0, EOS, batch_size * columns_of(18, 7))
    got = generate(model, prompts, streams, sampling, variants=3)
    assert as_lists(got) == as_lists(expected)
