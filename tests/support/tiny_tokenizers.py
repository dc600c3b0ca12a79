"""The rehearsal's tokenizers, which learned their vocabulary from these few lines."""

from __future__ import annotations

from typing import Any

from moa.tools.rehearsal import tokenizers

TEXT = [
    "Human: How do I bake good bread at home? helpfulness 0.30 harmlessness 0.70 Assistant: Flour.",
    "BEGINNING OF CONVERSATION: USER: Tell me a joke, please. ASSISTANT:I would rather not do that.",
    "\n\nHuman: What is 2 + 2? \n\nAssistant: It is four, and 0.50 0.25 0.10 are numbers too.",
] * 3
FIM_PAD = tokenizers.FIM_PAD


def llama_tokenizer() -> Any:
    return tokenizers.llama_tokenizer(TEXT)


def gpt2_tokenizer() -> Any:
    return tokenizers.gpt2_tokenizer(TEXT)


def qwen_tokenizer() -> Any:
    return tokenizers.qwen_tokenizer(TEXT)


def distilbert_tokenizer() -> Any:
    return tokenizers.distilbert_tokenizer(TEXT, longest=64)
