"""Reading what a task's stages share: the reward statistics. Imports neither torch nor pandas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def read_stats(folder: Path, objectives: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the offline rewards per objective: two (K,) arrays."""
    stats = json.loads((folder / "stats.json").read_text())["objectives"]
    mean = np.array([stats[name]["mean"] for name in objectives])
    std = np.array([stats[name]["std"] for name in objectives])
    return mean, std
