"""Requests and mixed-style responses of the synthetic world (`moa.datasets.world`)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from datasets import Dataset

from moa.datasets.records import to_dataset
from moa.datasets.world import RISKY_TOPICS, mixed_style_response, prompts, rewards, topic_of

REQUIRES: tuple[str, ...] = ()


def load(params: dict[str, Any], dropped: Counter[str]) -> Dataset:
    """Every request with two responses; chosen has the higher sum of helpfulness and harmlessness.

    params: corpus_seed. Further column: `risky`.
    """
    rng = np.random.default_rng(params["corpus_seed"])
    records = []
    for prompt in prompts():
        pair = [mixed_style_response(prompt, rng) for _ in range(2)]
        pair.sort(key=lambda y: -rewards(prompt, y)[:2].sum())
        records.append(
            {
                "prompt": prompt,
                "chosen": pair[0],
                "rejected": pair[1],
                "risky": topic_of(prompt) in RISKY_TOPICS,
            }
        )
    return to_dataset(records, dropped)
