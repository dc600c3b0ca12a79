"""The likelihood table of all responses under all vectors, however many share a forward pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moa.evaluation import likelihoods
from moa.evaluation.likelihoods import cross_likelihoods, reference_logps
from moa.logprobs import sequence_logprobs
from moa.models.conditioning.weights_in_prompt import WeightsInPrompt
from moa.runtime.errors import JobError
from support.tiny_models import random_ids, tiny_llama
from support.tiny_tokenizers import qwen_tokenizer

OBJECTIVES = ["helpfulness", "harmlessness"]
VECTORS = [[0.0, 1.0], [0.3, 0.7], [1.0, 0.0]]
PROMPTS = ["How do I bake good bread?", "Tell me a joke."]


class ModelPerVector(WeightsInPrompt):
    """Another model for every vector, as merged experts are."""

    one_model = False

    def at(self, w):
        return tiny_llama(seed=VECTORS.index(w), vocab_size=700)


@pytest.mark.parametrize("kind", [WeightsInPrompt, ModelPerVector])
@pytest.mark.parametrize("batch_size", [1, 5, 6, 64])
def test_the_table_is_that_of_single_rows_for_any_batch_size(kind, batch_size, monkeypatch):
    tokenizer = qwen_tokenizer()
    policy = kind(tiny_llama(vocab_size=700), OBJECTIVES, 2)
    generator = torch.Generator().manual_seed(0)
    answers = [random_ids(n, generator) for n in ([4, 1, 7], [3, 5, 2])]
    sizes, real = [], likelihoods.tree_logprobs

    def spy(model, prefixes, conditions, responses):
        sizes.append(len(conditions[0]) * len(responses[0]))
        return real(model, prefixes, conditions, responses)

    monkeypatch.setattr(likelihoods, "tree_logprobs", spy)
    table = cross_likelihoods(policy, tokenizer, PROMPTS, VECTORS, VECTORS, answers, batch_size)
    assert max(sizes) <= max(batch_size, 3 if policy.one_model else 1)

    for p, x in enumerate(PROMPTS):
        for j, w in enumerate(VECTORS):
            prompt = torch.tensor(tokenizer(policy.prompt(x, w))["input_ids"])
            for i, response in enumerate(answers[p]):
                row = torch.cat([prompt, response])[None]
                scored = torch.arange(row.shape[1])[None] >= len(prompt)
                with torch.no_grad():
                    alone = sequence_logprobs(policy.at(w), row, torch.ones_like(row), scored)
                np.testing.assert_allclose(table[p, i, j], alone.item(), rtol=1e-5, atol=5e-4)


def test_a_likelihood_that_is_not_finite_is_refused():
    model = tiny_llama(vocab_size=700)
    with torch.no_grad():
        model.lm_head.weight[40] = torch.nan
    policy = WeightsInPrompt(model, OBJECTIVES, 2)
    answers = [[torch.tensor([5, 6])] * 3] * 2
    with pytest.raises(JobError, match=r"'How do I bake good bread\?' under \[0\.0, 1\.0\].*nan"):
        cross_likelihoods(policy, qwen_tokenizer(), PROMPTS, VECTORS, VECTORS, answers, 8)


@pytest.mark.parametrize("kind", [WeightsInPrompt, ModelPerVector])
def test_a_block_of_responses_has_its_rows_of_the_table(kind):
    policy, tokenizer = kind(tiny_llama(vocab_size=700), OBJECTIVES, 2), qwen_tokenizer()
    generator = torch.Generator().manual_seed(0)
    answers = [random_ids(n, generator) for n in ([4, 1, 7], [3, 5, 2])]
    whole = cross_likelihoods(policy, tokenizer, PROMPTS, VECTORS, VECTORS, answers, 64)
    block = [responses[1:] for responses in answers]
    part = cross_likelihoods(policy, tokenizer, PROMPTS, VECTORS, VECTORS[1:], block, 64)
    assert part.shape == (2, 2, 3)
    np.testing.assert_allclose(part, whole[:, 1:], rtol=1e-5, atol=5e-4)


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_the_reference_reads_each_response_under_its_own_vector(batch_size):
    """Equal policies are no distance apart; the table is the other's diagonal."""
    tokenizer = qwen_tokenizer()
    policy = WeightsInPrompt(tiny_llama(vocab_size=700), OBJECTIVES, 2)
    generator = torch.Generator().manual_seed(0)
    answers = [random_ids(n, generator) for n in ([4, 1, 7], [3, 5, 2])]
    own = cross_likelihoods(policy, tokenizer, PROMPTS, VECTORS, VECTORS, answers, 64)
    found = reference_logps(policy, tokenizer, PROMPTS, VECTORS, answers, batch_size)
    np.testing.assert_allclose(found, np.diagonal(own, axis1=1, axis2=2), atol=5e-4)


def test_a_reference_that_is_not_finite_is_refused():
    model = tiny_llama(vocab_size=700)
    model.lm_head.weight.data[:] = torch.nan
    policy = WeightsInPrompt(model, OBJECTIVES, 2)
    answers = [random_ids([3] * 3, torch.Generator().manual_seed(0))] * 2
    with pytest.raises(JobError, match=r"SFT policy gives .* Train it again with a lower"):
        reference_logps(policy, qwen_tokenizer(), PROMPTS, VECTORS, answers, 8)
