"""The scale of a task's rewards: what normalises them, for every method. No torch, no pandas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moa.runtime.errors import JobError
from moa.runtime.files import write_json

STATS = "stats.json"


@dataclass(frozen=True, eq=False)
class RewardScale:
    """mean, std: (K,) float64, of each objective's raw rewards on the offline responses."""

    objectives: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def measure(cls, objectives: Sequence[str], raw: np.ndarray) -> RewardScale:
        """The scale of raw rewards (N, K), ddof = 1.

        Raises: JobError if there are fewer than two responses, if an objective has only one value, or if
        its values are too large, or differ by too little, for a deviation in float64.
        """
        if len(raw) < 2:
            raise JobError(
                f"the train split has {len(raw)} offline responses, and a deviation needs two or more: "
                "raise n_train, or check the dataset"
            )
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            mean, std = raw.mean(axis=0), raw.std(axis=0, ddof=1)
        # Rounding leaves a deviation above 0 of 0.1, 0.1, 0.1: values are compared, too.
        constant = raw.min(axis=0) == raw.max(axis=0)
        if constant.any():
            raise JobError(
                f"objective {objectives[int(constant.argmax())]} has the same reward for every offline "
                "response, so it cannot be normalised: check its oracle"
            )
        lost = ~(np.isfinite(mean) & np.isfinite(std) & (std > 0))
        if lost.any():
            k = int(lost.argmax())
            raise JobError(
                f"objective {objectives[k]} has rewards from {raw[:, k].min():.3g} to "
                f"{raw[:, k].max():.3g}, whose mean and deviation float64 cannot hold: "
                "let its oracle return numbers of order 1"
            )
        return cls(tuple(objectives), mean, std)

    @classmethod
    def read(cls, folder: Path, objectives: Sequence[str]) -> RewardScale:
        """The scale of these objectives, in their order, from the entry that measured it."""
        stats = json.loads((folder / STATS).read_text())["objectives"]
        return cls(
            tuple(objectives),
            np.array([stats[name]["mean"] for name in objectives]),
            np.array([stats[name]["std"] for name in objectives]),
        )

    def write(self, folder: Path, responses: int) -> None:
        """What `read` reads. responses: how many it was measured on."""
        stats = {
            name: {"mean": float(mean), "std": float(std)}
            for name, mean, std in zip(self.objectives, self.mean, self.std, strict=True)
        }
        write_json(folder / STATS, {"responses": responses, "objectives": stats})

    def of(self, objective: str) -> RewardScale:
        """The scale of one objective alone: K is 1."""
        k = self.objectives.index(objective)
        return RewardScale((objective,), self.mean[k : k + 1], self.std[k : k + 1])

    def normalise(self, raw: np.ndarray) -> np.ndarray:
        """Raw rewards (..., K) in standard deviations from the mean, in float64."""
        return (raw - self.mean) / self.std

    @property
    def raw_columns(self) -> list[str]:
        """How tables name the raw rewards."""
        return [f"raw_{name}" for name in self.objectives]

    @property
    def norm_columns(self) -> list[str]:
        """How tables name the normalised rewards."""
        return [f"norm_{name}" for name in self.objectives]
