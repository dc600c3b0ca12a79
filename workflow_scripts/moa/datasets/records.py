"""The common record and what every loader shares: dropping bad rows, splitting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from datasets import Dataset

from moa.runtime.errors import JobError

COLUMNS = ("prompt", "chosen", "rejected")


class IrregularRow(ValueError):
    """A row that cannot become a record; its message is the reason that is counted."""


def to_dataset(records: Iterable[dict[str, Any]], dropped: Counter[str]) -> Dataset:
    """Records to a Dataset; rows without a prompt or with an empty response are counted, not kept.

    A `rejected` of None (one response only) is kept; an empty string is an empty response.
    """
    kept = []
    for record in records:
        if not (record["prompt"] or "").strip():
            dropped["no prompt"] += 1
        elif not (record["chosen"] or "").strip() or record["rejected"] == "":
            dropped["empty response"] += 1
        else:
            kept.append(record)
    return Dataset.from_list(kept)


def split_prompts(
    prompts: list[str], n_train: int | None, n_test: int, seed: int
) -> list[str | None]:
    """Assign each row `train`, `test` or None (unused) at random, rows with one prompt together.

    n_train and n_test count distinct prompts; n_train None: all that n_test leaves.
    Raises: JobError if there are too few of them.
    """
    distinct = sorted(set(prompts))
    if n_train is None:
        n_train = max(1, len(distinct) - n_test)
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
