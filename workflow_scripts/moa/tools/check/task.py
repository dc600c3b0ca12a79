"""All checks of a task, from the entries that its runs start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from moa.models.policies import load_tokenizer
from moa.oracles.base import load_oracles
from moa.oracles.scale import RewardScale
from moa.runtime.checks import Check
from moa.tools.check.data import check_data
from moa.tools.check.oracles import check_sign, check_spread, pairs_of
from moa.tools.check.policy import check_policy
from moa.workflow.config import Task
from moa.workflow.sources import pin


def check_task(
    task: Task, inputs: Mapping[str, Path], judges: Mapping[str, Path]
) -> tuple[str, list[Check]]:
    """A prompt as the policy reads it, token by token, and what was found.

    inputs: folders of the entries base, data, oracle_stats, and oracle/<objective> of fitted oracles.
    judges: the last two of the judges; empty if there are none.
    """
    frame = pd.read_parquet(inputs["data"] / "data.parquet")
    train = frame[frame["split"] == "train"]
    shown, checks = check_policy(
        inputs["base"], train, task.objectives, task.asked, task.policy.lora
    )
    if shown:  # else there is no tokenizer to look with
        checks += check_data(frame, task.objectives, load_tokenizer(inputs["base"]), task.asked)
    pins = pin(task)
    checks += _check_scorers(task, "oracles", pins.oracles, inputs)
    if judges:
        found = _check_scorers(task, "judges", pins.judges, judges)
        checks += [replace(check, what=f"judge, {check.what}") for check in found]
    return shown, checks


def _check_scorers(
    task: Task, section: str, specs: dict[str, dict[str, Any]], inputs: Mapping[str, Path]
) -> list[Check]:
    """Of oracles, or of judges; section: of the task, where they stand."""
    scale = RewardScale.read(inputs["oracle_stats"], task.objectives)
    offline = pd.read_parquet(inputs["oracle_stats"] / "offline_rewards.parquet")
    checks = []
    for oracle in load_oracles(task.objectives, specs, dict(inputs)):
        pairs = pairs_of(specs[oracle.objective]["kind"], oracle.objective, task.pairs)
        checks += [
            check_sign(oracle, pairs, section),
            *check_spread(offline, scale, oracle.objective),
        ]
    return checks
