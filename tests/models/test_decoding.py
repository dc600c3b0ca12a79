"""How many rows are decoded together: as many as the memory for keys and values holds."""

import pytest
import torch
from transformers import MixtralConfig

from moa.models.decoding import Block, Rows, columns_of, tokens_within
from support.tiny_models import BUILDERS, SHAPE, made_from, tiny_llama

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


def mixtral():
    shape = SHAPE | {"vocab_size": 50, "num_local_experts": 4, "sliding_window": None}
    return made_from(MixtralConfig(**shape), seed=1)


def all_logits(model, tokens, fixed):
    """The logits that every token of every response is drawn from. Responses are of 2 to NEW tokens."""
    found = {}

    def draw(responses, steps, logits):
        for at, key in enumerate(zip(responses.tolist(), steps.tolist(), strict=True)):
            found[key] = logits[at].float().cpu()
        return logits.argmax(dim=1), steps + 1 == 2 + responses % (NEW - 1)

    blocks = [Block([i], torch.arange(0), [torch.arange(1, n + 1)]) for i, n in enumerate(PROMPTS)]
    with torch.no_grad():
        Rows(model, blocks, 1, tokens, NEW, draw, fixed).run()
    return found


@pytest.mark.parametrize("tokens", [1, 150, 10**6])
@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
def test_steps_of_fixed_shapes_give_the_same_logits(family, tokens):
    """With rows admitted late, buffers that get wider and rows that are given up."""
    model = BUILDERS[family](vocab_size=50, seed=1).eval()
    grown, fixed = (all_logits(model, tokens, way) for way in (False, True))
    assert grown.keys() == fixed.keys()
    for key, logits in grown.items():
        torch.testing.assert_close(fixed[key], logits, atol=2e-5, rtol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need an NVIDIA GPU")
@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2", "mixtral"])
def test_a_captured_step_gives_the_same_logits(family, caplog):
    """A mixture of experts cannot be captured, and is decoded all the same."""
    model = mixtral() if family == "mixtral" else BUILDERS[family](vocab_size=50, seed=1)
    model = model.eval().cuda()
    with caplog.at_level("INFO"):
        grown, fixed = (all_logits(model, 150, way) for way in (False, True))
    for key, logits in grown.items():
        torch.testing.assert_close(fixed[key], logits, atol=1e-3, rtol=1e-3)
    assert ("kernel by kernel" in caplog.text) == (family == "mixtral")


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


def test_rows_are_no_more_than_responses_where_prompts_are_read_in_several_passes(monkeypatch):
    monkeypatch.setattr("moa.models.decoding.PREFILL", 80)
    sizes = decoded(tiny_llama(vocab_size=50), 10**6)
    assert {rows for rows, _ in sizes} == {len(PROMPTS)}


@pytest.mark.parametrize("family", BUILDERS)
def test_tokens_within_a_memory_are_those_that_a_cache_holds(family):
    model = BUILDERS[family](vocab_size=50)
    cache = model(torch.arange(1, 9)[None], use_cache=True).past_key_values
    held = sum(
        t.numel() * t.element_size() for layer in cache.layers for t in (layer.keys, layer.values)
    )
    assert tokens_within(model, held / 2**30) == 8
