"""Tokenizers of a few hundred tokens in the published forms: Llama's, GPT-2's, Qwen's, DistilBERT's.

The classes are transformers' own, so whatever they add, strip or split happens here too. texts: what the
vocabulary is learned from.
"""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import DistilBertTokenizer, GPT2Tokenizer, LlamaTokenizer, Qwen2Tokenizer

VOCABULARY = 600
FIM_PAD = "<|fim_pad|>"
# Qwen's models have a template, base models too, which nothing here may apply.
CHAT_TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"


def llama_tokenizer(texts: list[str]) -> Any:
    """SentencePiece-like with byte fallback: BOS first, `</s>` as EOS, `<pad>` added last."""
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    vocab, merges = _bpe(texts, pre_tokenizers.Metaspace(), special)
    tokenizer = LlamaTokenizer(vocab=vocab, merges=merges)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.add_bos_token = True
    tokenizer.update_post_processor()
    return tokenizer


def gpt2_tokenizer(texts: list[str]) -> Any:
    """Byte-level: `<|endoftext|>` is BOS, EOS and unknown; there is no pad token."""
    vocab, merges = _bpe(texts, pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"])
    return GPT2Tokenizer(vocab=vocab, merges=merges)


def qwen_tokenizer(texts: list[str], *, eos: str = "<|endoftext|>") -> Any:
    """Byte-level: no BOS, pads with `<|endoftext|>`, spare special tokens.

    eos: the same in base models, `<|im_end|>` in those that follow instructions.
    """
    vocab, merges = _bpe(texts, pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"])
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=merges)
    spare = ["<|im_start|>", "<|im_end|>", FIM_PAD]
    tokenizer.add_special_tokens({"additional_special_tokens": spare})
    tokenizer.eos_token = eos
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def distilbert_tokenizer(texts: list[str], longest: int = 512) -> Any:
    """WordPiece, lower case, [CLS] and [SEP] around texts, [PAD] of its own; reads `longest` tokens."""
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    words = sorted({word for text in texts for word, _ in split(text.lower())})
    letters = sorted(set("".join(words)))
    # The library's own trainer numbers the pieces in another order every time.
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys([*pieces, *words]))}
    return DistilBertTokenizer(vocab=vocab, model_max_length=longest)


def _bpe(
    texts: list[str], split: Any, special: list[str]
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split
    alphabet = (
        pre_tokenizers.ByteLevel.alphabet() if isinstance(split, pre_tokenizers.ByteLevel) else []
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]
