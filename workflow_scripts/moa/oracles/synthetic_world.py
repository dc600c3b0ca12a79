"""Exact rewards of the synthetic world, and its best possible policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from moa.datasets import world
from moa.oracles.pairs import Pair

REQUIRES: tuple[str, ...] = ()
best_points = world.best_points


class SyntheticOracle:
    """One column of `moa.datasets.world.rewards`."""

    def __init__(self, objective: str) -> None:
        if objective not in world.OBJECTIVES:
            raise ValueError(
                f"the synthetic world has no objective {objective!r}: "
                f"choose among {', '.join(world.OBJECTIVES)}"
            )
        self.objective = objective
        self._column = world.OBJECTIVES.index(objective)

    def score(self, prompts: list[str], responses: list[str]) -> np.ndarray:
        """(N,) rewards; an empty response has no words of any kind, hence 0."""
        pairs = zip(prompts, responses, strict=True)
        return np.array([world.rewards(x, y)[self._column] for x, y in pairs])


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
