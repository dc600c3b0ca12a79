"""How the total cost of a config grows: the same config with more of one thing, planned anew."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

from moa.tools.estimates.cost import Assumptions, gpu_hours
from moa.tools.estimates.jobs import ALL_TRAIN, gpu_jobs
from moa.workflow.config import resolve, task_sections
from moa.workflow.plan import Plan

Config = dict[str, Any]
OBJECTIVES = (2, 3, 5)


def total(raw: Config, given: Assumptions) -> float:
    """GPU-hours of a config, every shared job counted once."""
    return sum(gpu_hours(job, given) for job in gpu_jobs(Plan(resolve(raw))))


def doubled(raw: Config) -> Iterator[tuple[str, Config]]:
    """The config with twice as many prompts, vectors, or seeds."""
    config = resolve(raw)
    prompts, vectors, seeds = (copy.deepcopy(raw) for _ in range(3))
    for task in prompts["tasks"].values():
        data = task["data"]  # tasks may share it through a YAML anchor
        twice = {"n_train": 2 * (data["n_train"] or ALL_TRAIN), "n_test": 2 * data["n_test"]}
        task["data"] = {**data, **twice}
    for name, task in vectors["tasks"].items():
        task["evaluation_vectors"] = 2 * task_sections(config, name)["evaluation_vectors"]
    n = len(config["seeds"])
    seeds["seeds"] = list(range(2 * n))
    yield "prompts, train and test", prompts
    yield "evaluation vectors", vectors
    yield f"seeds: {2 * n} instead of {n}", seeds


def with_objectives(raw: Config, k: int, vectors: int = 11) -> Config:
    """Every task with k objectives, its own oracles in turn, and as many vectors whatever k is."""
    config = copy.deepcopy(raw)
    for task in config["tasks"].values():
        oracles = islice(cycle(task["oracles"][name] for name in task["objectives"]), k)
        task["objectives"] = [f"objective{letter}" for letter in "abcdefghij"[:k]]
        task["oracles"] = dict(zip(task["objectives"], oracles, strict=True))
        task["evaluation_vectors"] = [[1 / k] * k] * vectors
    return config
