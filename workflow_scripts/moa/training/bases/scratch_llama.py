"""A small Llama with a word-level tokenizer, trained from scratch on the synthetic world.

Its corpus is mixed-style responses to all requests, under weight blocks of two or three objectives,
and some under blocks of desired rewards (RiC's form), so it knows the words and the forms of a
prompt; both are drawn at random there, so the responses ignore them.

Other documents ask for kinds of words by their shares, `details 0.60 jokes 0.40`, and there the response
has them: so a written number is a quantity to it, as it is to a base that has read the world. What an
objective has to do with a kind of words it is never told.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from moa.datasets import world
from moa.models.goals import build_goal_prompt
from moa.preferences import build_prompt, sample_weights
from moa.training.bases.settings import ScratchLlamaBase
from moa.training.scratch import train_from_scratch

REQUIRES = ("torch", "transformers", "tokenizers", "trl")
# Of every FORMS documents one has desired rewards, SHARED ask for shares, and the rest have weights.
FORMS, SHARED = 6, 3


def build(settings: ScratchLlamaBase, inputs: dict[str, Path], out: Path) -> None:
    """Train and save model and tokenizer. inputs: not used."""
    tokenizer = build_tokenizer()
    train_from_scratch(settings, tokenizer, corpus(settings.documents, settings.seed), 128, out)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word; numbers are split into digits, as the tokenizers of real models do."""
    words = ["<pad>", "</s>", "<unk>", "Human:", "Assistant:", ".", "-", *"0123456789"]
    words += [*world.OBJECTIVES, *world.KINDS, *world.vocabulary()]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            # No word has them, and without it `<pad>` in a text would be the pad token.
            pre_tokenizers.Split(Regex("[<>]"), "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def corpus(documents: int, seed: int) -> list[str]:
    """Prompts and responses: mixed-style ones under weights for two or three objectives, or under desired
    rewards, both random; and responses that have the shares of words that their prompt asks for.
    """
    rng = np.random.default_rng(seed)
    requests = world.prompts()
    texts = []
    for i in range(documents):
        prompt = requests[rng.integers(len(requests))]
        k = int(rng.integers(2, 4))
        objectives = world.OBJECTIVES[:k]
        if i % FORMS < SHARED:
            texts.append(shares_document(prompt, k, rng))
            continue
        if i % FORMS == SHARED:
            text = build_goal_prompt(prompt, objectives, rng.uniform(-3, 3, k))
        else:
            w = sample_weights(1, 0.5, k, rng)[0]  # corners are common, so 1.00 is no rare word
            text = build_prompt(prompt, objectives, list(w))
        texts.append(f"{text} {world.mixed_style_response(prompt, rng)}")
    return texts


def shares_document(prompt: str, k: int, rng: np.random.Generator) -> str:
    """`Human: {x} details 0.60 jokes 0.40 Assistant: ...`, k kinds of words in any order."""
    asked = rng.permutation(len(world.KINDS))[:k]
    shares = np.zeros(len(world.KINDS))
    shares[asked] = sample_weights(1, 0.5, k, rng)[0]
    wish = " ".join(f"{world.KINDS[kind]} {shares[kind]:.2f}" for kind in asked)
    n_words = int(rng.integers(4, world.N_WORDS + 1))
    response = world.response_of_shares(prompt, n_words, shares, rng)
    return f"Human: {prompt} {wish} Assistant: {response}"
