"""What the scores of files are normalised by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moa.datasets.lines import LARGEST, is_number
from moa.oracles.scale import RewardScale
from moa.runtime.errors import JobError

FORM = '{"<objective>": {"mean": 0.0, "std": 1.0}, ..}'


def as_it_is(objectives: Sequence[str]) -> RewardScale:
    """Nothing: scores are taken as they are."""
    return RewardScale(tuple(objectives), np.zeros(len(objectives)), np.ones(len(objectives)))


def read_scale(path: Path, objectives: Sequence[str]) -> RewardScale:
    """Of a file like FORM, or a store's stats.json, which has that under `objectives`. Raises: JobError."""
    try:
        said = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise JobError(f"{path} cannot be read as JSON ({error}): it needs {FORM}") from None
    said = said.get("objectives", said) if isinstance(said, dict) else {}
    said = said if isinstance(said, dict) else {}
    found = []
    for name in objectives:
        own = said.get(name)
        pair: list[Any] = [own.get(key) for key in ("mean", "std")] if isinstance(own, dict) else []
        numbers = [float(x) for x in pair if is_number(x) and abs(x) <= LARGEST]
        if len(numbers) < 2 or numbers[1] < 1 / LARGEST:
            raise JobError(
                f"{path} has no mean and std of {name}, numbers up to {LARGEST:g}, with an std of "
                f"{1 / LARGEST:g} or more: it needs {FORM}"
            )
        found.append(numbers)
    mean, std = np.array(found, dtype=np.float64).T
    return RewardScale(tuple(objectives), mean, std)


def constants(path: Path, scale: RewardScale) -> str:
    """The file and its numbers, as a note has them."""
    numbers = zip(scale.objectives, scale.mean, scale.std, strict=True)
    return f"{path.name} ({'; '.join(f'{o} {mean:g} and {std:g}' for o, mean, std in numbers)})"
