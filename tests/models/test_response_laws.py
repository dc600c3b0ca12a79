"""Laws of a cleaned response, for tokenizers of four kinds and whatever a policy may have sampled."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moa.models.sampling import NEXT_TURN_MARKERS, clean_response
from moa.training.bases.scratch_llama import build_tokenizer
from support.tiny_tokenizers import gpt2_tokenizer, llama_tokenizer, qwen_tokenizer

TOKENIZERS = {
    "llama": llama_tokenizer(),
    "gpt2": gpt2_tokenizer(),
    "qwen": qwen_tokenizer(),
    "scratch": build_tokenizer(),
}
PIECES = [
    "Human:",
    "Assistant:",
    "Hum",
    "an:",
    ":",
    "Assist",
    "ant",
    " ",
    "\n\n",
    " ,",
    "é日😀",
    "a",
]
PARTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3) | st.integers(0, 10**6), max_size=8)


def ids_of(parts: list[str | int], tokenizer) -> list[int]:
    """Texts as they are encoded, numbers as any ids; EOS ends a response, so it stands nowhere before."""
    ids: list[int] = []
    for part in parts:
        if isinstance(part, str):
            ids += tokenizer(part, add_special_tokens=False)["input_ids"]
        else:
            ids.append(part % len(tokenizer))
    return [i for i in ids if i != tokenizer.eos_token_id]


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=150)
@given(PARTS, st.booleans())
def test_a_cleaned_response_starts_no_turn_and_is_a_beginning_of_what_was_sampled(
    name, parts, ended
):
    tokenizer = TOKENIZERS[name]
    sampled = ids_of(parts, tokenizer) + [tokenizer.eos_token_id] * ended
    response = clean_response(torch.tensor(sampled, dtype=torch.long), tokenizer)
    kept = response.ids.tolist()
    assert not any(marker in response.text for marker in NEXT_TURN_MARKERS)
    assert kept == sampled[: len(kept)]
    assert response.text == tokenizer.decode(kept, skip_special_tokens=True).strip()
    assert response.finished == (ended or kept != sampled)
    again = clean_response(response.ids, tokenizer)
    assert again.text == response.text and again.ids.tolist() == kept
