"""The synthetic world's rewards with a stated blind spot: a word that is said again counts again.

The exact reward counts different words. A policy trained on this one can please it by saying its best word
seven times, which the exact reward, as a judge, takes for one: over-optimisation where its size is known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from moa.datasets import world
from moa.oracles.pairs import Pair
from moa.oracles.synthetic_world import SyntheticOracle
from moa.oracles.synthetic_world import known_pairs as exact_pairs
from moa.runtime.errors import JobError

REQUIRES: tuple[str, ...] = ()


class ProxyOracle(SyntheticOracle):
    """One column of the rewards of counts in which repetitions count."""

    def score(self, prompts: list[str], responses: list[str]) -> np.ndarray:
        """(N,) rewards. Raises: JobError if a prompt is none of the world's requests."""
        pairs = zip(prompts, responses, strict=True)
        try:
            return np.array([_rewards(x, y)[self._column] for x, y in pairs])
        except ValueError as error:
            raise JobError(
                f"oracle {self.objective}: {error}; the kind synthetic_proxy rewards answers to the "
                "requests of the data kind synthetic_world alone, so give it an oracle of another kind"
            ) from None


def _rewards(prompt: str, response: str) -> np.ndarray:
    topic, words = world.topic_of(prompt), response.split()[: world.N_WORDS]
    kinds = (world.DETAILS[topic], world.CAUTION, world.JOKES)
    details, caution, jokes = (sum(word in kind for word in words) for kind in kinds)
    return world.rewards_of_counts(details, caution, jokes, topic in world.RISKY_TOPICS)


def load(objective: str, params: dict[str, Any], entry: Path | None) -> ProxyOracle:
    """The oracle kind `synthetic_proxy`; it has no parameters and needs no fitting."""
    return ProxyOracle(objective)


def known_pairs(objective: str) -> list[Pair]:
    """Those of the exact reward, which has no blind spot there."""
    return exact_pairs(objective)
