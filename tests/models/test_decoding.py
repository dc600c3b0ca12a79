"""How many rows are decoded together: as many as the memory for keys and values holds."""

import pytest
import torch

from moa.models.decoding import Block, Rows, columns_of, tokens_within
from support.tiny_models import BUILDERS, tiny_llama

NEW, PROMPTS = 6, [40, 38, 9, 8, 7, 7, 6, 5, 5, 4, 3, 3]


def decoded(model, tokens):
    """Decode all prompts, each for NEW tokens. Returns: rows and columns of the buffers at every step."""
    sizes = []

    def draw(responses, steps, logits):
        buffer = rows.cache.layers[0].buffers[0]
        sizes.append((buffer.shape[0], buffer.shape[2]))
        return logits.argmax(dim=1), steps + 1 == NEW

    blocks = [Block([i], torch.arange(0), [torch.arange(1, n + 1)]) for i, n in enumerate(PROMPTS)]
    with torch.no_grad():
        rows = Rows(model.eval(), blocks, 1, tokens, NEW, draw)
        rows.run()
    return sizes


def test_shorter_prompts_are_decoded_in_more_rows():
    tokens = 2 * columns_of(40, NEW)
    sizes = decoded(tiny_llama(vocab_size=50), tokens)
    assert sizes[0][0] == 2
    assert max(rows for rows, _ in sizes) > 4
    assert max(rows * columns for rows, columns in sizes) <= tokens


@pytest.mark.parametrize("tokens", [1, 10**6])
def test_at_least_one_row_and_no_more_than_there_are_prompts(tokens):
    sizes = decoded(tiny_llama(vocab_size=50), tokens)
    assert max(rows for rows, _ in sizes) == (1 if tokens == 1 else len(PROMPTS))


@pytest.mark.parametrize("family", BUILDERS)
def test_tokens_within_a_memory_are_those_that_a_cache_holds(family):
    model = BUILDERS[family](vocab_size=50)
    cache = model(torch.arange(1, 9)[None], use_cache=True).past_key_values
    held = sum(
        t.numel() * t.element_size() for layer in cache.layers for t in (layer.keys, layer.values)
    )
    assert tokens_within(model, held / 2**30) == 8
