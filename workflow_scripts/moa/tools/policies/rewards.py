"""What a policy's oracles think of a response."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moa.oracles.base import load_oracles, score_all
from moa.oracles.scale import RewardScale
from moa.tools.policies.described import Policy


class Rewards:
    """The oracles that the policy was trained and is evaluated with."""

    def __init__(self, policy: Policy) -> None:
        self.oracles = load_oracles(policy.objectives, policy.told["oracles"], policy.inputs)
        self.scale = RewardScale.read(policy.inputs["oracle_stats"], policy.objectives)

    def of(self, x: str, responses: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Raw and normalised rewards of some responses to x: (N, K) each, higher is better."""
        raw = score_all(self.oracles, [x] * len(responses), list(responses))
        return raw, self.scale.normalise(raw)
