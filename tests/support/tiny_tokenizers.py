"""The rehearsal's tokenizers, which learned their vocabulary from these few lines."""

from __future__ import annotations

from typing import Any

from transformers import DebertaV2Tokenizer, RobertaTokenizer

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


def roberta_tokenizer() -> Any:
    """Byte-level, `<s>` and `</s>` around texts; it does not say how long a text may be."""
    vocab = gpt2_tokenizer().get_vocab()
    own = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [*own, *(p for p in sorted(vocab, key=vocab.get) if p not in own), "<mask>"]
    return RobertaTokenizer(vocab={p: i for i, p in enumerate(pieces)}, merges=[])


def deberta_tokenizer() -> Any:
    """Unigram: its special tokens are pieces of the vocabulary, too, which a text is made of."""
    letters = [*sorted(set("".join(TEXT)) - {" ", "\n"}), "[", "]"]
    own = [(piece, 0.0) for piece in ("[PAD]", "[CLS]", "[SEP]", "[UNK]")]
    scores = [(piece, -3.0 - i / 10) for i, piece in enumerate(["\u2581", *letters])]
    return DebertaV2Tokenizer(vocab=[*own, *scores])
