"""Exact rewards of the synthetic world, and its best possible policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from moa.datasets import world
from moa.oracles.pairs import Pair
from moa.runtime.errors import JobError

REQUIRES: tuple[str, ...] = ()
best_points = world.best_points


class SyntheticOracle:
    """One column of `moa.datasets.world.rewards`."""

    def __init__(self, objective: str) -> None:
        if objective not in world.OBJECTIVES:
            raise JobError(
                f"oracle {objective}: the synthetic world has no such objective; name it one of "
                f"{', '.join(world.OBJECTIVES)}, or give it an oracle of another kind"
            )
        self.objective = objective
        self._column = world.OBJECTIVES.index(objective)

    def score(self, prompts: list[str], responses: list[str]) -> np.ndarray:
        """(N,) rewards; an empty response has no words of any kind, hence 0.

        Raises: JobError if a prompt is none of the world's requests.
        """
        pairs = zip(prompts, responses, strict=True)
        try:
            return np.array([world.rewards(x, y)[self._column] for x, y in pairs])
        except ValueError as error:
            raise JobError(
                f"oracle {self.objective}: {error}; the kind synthetic_world rewards answers to the "
                "requests of the data kind synthetic_world alone, so give it an oracle of another kind"
            ) from None


def load(objective: str, params: dict[str, Any], entry: Path | None) -> SyntheticOracle:
    """The oracle kind `synthetic_world`; it has no parameters and needs no fitting."""
    return SyntheticOracle(objective)


def known_pairs(objective: str) -> list[Pair]:
    """Requests of the world, answered by words of the objective's own kind or by filler."""
    pairs = []
    for topic in list(world.DETAILS)[:: len(world.DETAILS) // 4]:
        own = {
            "helpfulness": world.DETAILS[topic],
            "harmlessness": world.CAUTION,
            "humor": world.JOKES,
        }
        pairs.append(
            Pair(f"tell me about {topic}", " ".join(own[objective]), " ".join(world.FILLER))
        )
    return pairs
