"""A small Llama trained from scratch on the task's own train split, for data that no base here can read.

Its tokenizer is a byte-level BPE of that text, which loses none of it. Its corpus is every prompt with each
of its responses, under random weights for the task's objectives, so it knows the form of a prompt; the
weights are drawn at random, so the responses ignore them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from moa.datasets.splits import read_split
from moa.models.goals import build_goal_prompt
from moa.preferences import build_prompt, sample_weights
from moa.training.bases.settings import PinnedScratchTextBase
from moa.training.scratch import train_from_scratch

REQUIRES = ("torch", "transformers", "tokenizers", "trl")
READS_DATA = True  # it is trained on the task's data, under its objectives
POSITIONS = 1024
GOAL_EVERY = 5


def build(settings: PinnedScratchTextBase, inputs: dict[str, Path], out: Path) -> None:
    """Train and save model and tokenizer. inputs: data."""
    texts = corpus(read_split(inputs["data"], "train"), settings.objectives, settings.seed)
    tokenizer = build_tokenizer(texts, settings.vocabulary)
    train_from_scratch(settings, tokenizer, texts, POSITIONS, out)


def build_tokenizer(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE of at most `vocabulary` tokens; numbers are split into digits."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<pad>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>")


def corpus(data: pd.DataFrame, objectives: Sequence[str], seed: int) -> list[str]:
    """Each response of the data after its prompt, under random weights for the objectives.

    Every GOAL_EVERY-th document has random desired rewards in place of weights.
    """
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    for row in data.to_dict("records"):
        for response in filter(None, (row["chosen"], row["rejected"])):
            if len(texts) % GOAL_EVERY == 0:
                goals = rng.uniform(-3, 3, len(objectives))
                prompt = build_goal_prompt(row["prompt"], objectives, goals)
            else:
                (w,) = sample_weights(1, 0.5, len(objectives), rng)
                prompt = build_prompt(row["prompt"], objectives, list(w))
            texts.append(f"{prompt} {response}")
    return texts
