"""Which prompts count as one, and the split by prompt, which keeps them together."""

from __future__ import annotations

import unicodedata

import numpy as np

from moa.runtime.errors import JobError

MARKS = ".?!,;:…。？！"


def normal(prompt: str) -> str:
    """A prompt without case, further white space, marks at its end, and Unicode's choice of composing.

    Prompts with one normal form count as one: a policy that trained on the one has seen the other.
    """
    composed = unicodedata.normalize("NFC", prompt)
    words = " ".join(unicodedata.normalize("NFC", composed.casefold()).split())
    return words.rstrip(f" {MARKS}") or words  # "?!" alone stays what it is


def spellings(prompts: list[str]) -> list[str]:
    """Each prompt in one spelling of those that count as one: the first in the order of characters."""
    first: dict[str, str] = {}
    for prompt in sorted(set(prompts)):
        first.setdefault(normal(prompt), prompt)
    return [first[normal(prompt)] for prompt in prompts]


def split_prompts(
    prompts: list[str], n_train: int | None, n_test: int, seed: int
) -> list[str | None]:
    """Assign each row `train`, `test` or None (unused) at random, rows whose prompts count as one together.

    n_train and n_test count distinct prompts; n_train None: all that n_test leaves.
    Raises: JobError if there are too few of them.
    """
    prompts = spellings(prompts)
    distinct = sorted(set(prompts))
    if n_train is None:
        n_train = len(distinct) - n_test
        if n_train < 1:
            raise JobError(
                f"n_test {n_test} leaves nothing to train on of the {len(distinct)} distinct prompts of "
                "the dataset: lower it under the task's data, or give a dataset with more prompts"
            )
    if n_train + n_test > len(distinct):
        raise JobError(
            f"n_train {n_train} + n_test {n_test} is more than the {len(distinct)} distinct prompts "
            "of the dataset: lower one of them under the task's data, or set n_train to null for all "
            "that n_test leaves"
        )
    order = np.random.default_rng(seed).permutation(len(distinct))
    part = {distinct[i]: "train" for i in order[:n_train]}
    part.update({distinct[i]: "test" for i in order[n_train : n_train + n_test]})
    return [part.get(prompt) for prompt in prompts]
