"""A small Llama with a word-level tokenizer, trained from scratch on the synthetic world.

Its corpus is mixed-style responses to all requests, under weight blocks of two or three objectives,
and some under blocks of desired rewards (RiC's form), so it knows the words and the forms of a
prompt; both are drawn at random there, so the responses ignore them.
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
GOAL_EVERY = 5


def build(settings: ScratchLlamaBase, inputs: dict[str, Path], out: Path) -> None:
    """Train and save model and tokenizer. inputs: not used."""
    tokenizer = build_tokenizer()
    train_from_scratch(settings, tokenizer, corpus(settings.documents, settings.seed), 128, out)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word; numbers are split into digits, as the tokenizers of real models do."""
    words = ["<pad>", "</s>", "<unk>", "Human:", "Assistant:", ".", "-", *"0123456789"]
    words += [*world.OBJECTIVES, *world.vocabulary()]
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
    """Prompt and mixed-style response, under random weights for two or three objectives.

    Every GOAL_EVERY-th document has random desired rewards in place of weights.
    """
    rng = np.random.default_rng(seed)
    requests = world.prompts()
    texts = []
    for i in range(documents):
        prompt = requests[rng.integers(len(requests))]
        k = int(rng.integers(2, 4))
        objectives = world.OBJECTIVES[:k]
        if i % GOAL_EVERY == 0:
            text = build_goal_prompt(prompt, objectives, rng.uniform(-3, 3, k))
        else:
            w = sample_weights(1, 0.5, k, rng)[0]  # corners are common, so 1.00 is no rare word
            text = build_prompt(prompt, objectives, list(w))
        texts.append(f"{text} {world.mixed_style_response(prompt, rng)}")
    return texts
