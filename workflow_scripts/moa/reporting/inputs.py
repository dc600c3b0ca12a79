"""What figures and the explorer read beside the metrics, as one table each. No torch.

inputs: a job's upstream folders by role. metrics: the task's metrics.json. Rewards come out
normalised, `norm_<objective>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moa.oracles.scale import RewardScale

Inputs = Mapping[str, Path]


def read_responses(inputs: Inputs, kind: str = "score") -> pd.DataFrame:
    """A row per run, seed, vector and prompt: texts and rewards. kind: `judge` for the judges' rewards."""
    parts = [
        pd.read_parquet(folder / "scores.parquet").assign(run=run)
        for run, _seed, _block, folder in _of(inputs, kind)
    ]
    return pd.concat(parts, ignore_index=True)


def read_scores(inputs: Inputs, metrics: Mapping[str, Any]) -> pd.DataFrame:
    """The same without the texts, which no figure shows."""
    return read_responses(inputs).drop(columns=["prompt", "response"])


def read_curves(inputs: Inputs, metrics: Mapping[str, Any]) -> pd.DataFrame:
    """A row per logged step: run, seed, part, step, progress, norm_<objective>, losses, ...

    part: an RLHF expert's objective, RiC's stage, else empty.
    """
    parts = []
    for run, seed, part, folder in _of(inputs, "trained"):
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        frame = pd.DataFrame(lines).assign(run=run, seed=seed)
        if "part" not in frame:
            frame["part"] = part
        frame["step"] = frame["step"].fillna(0)
        last = frame.groupby("part")["step"].transform("max")
        frame["progress"] = frame["step"] / last.where(last > 0, 1)
        parts.append(frame)
    curves = pd.concat(parts, ignore_index=True)
    return _normalise(curves, metrics).sort_values(["run", "seed", "part", "step"])


def read_explored(inputs: Inputs, metrics: Mapping[str, Any]) -> pd.DataFrame:
    """A row per response sampled in online training: run, seed, step, progress, w_*, norm_*."""
    parts = [
        pd.read_parquet(folder / "explored.parquet").assign(run=run, seed=seed)
        for run, seed, _part, folder in _of(inputs, "trained")
    ]
    return _normalise(pd.concat(parts, ignore_index=True), metrics)


READERS = {"scores": read_scores, "curves": read_curves, "explored": read_explored}


def _of(inputs: Inputs, kind: str) -> Iterator[tuple[str, int, str, Path]]:
    """(run, seed, part, folder) of the roles `<kind>/<run>/<seed>[/<part>]`."""
    for role, folder in inputs.items():
        name, *rest = role.split("/")
        if name == kind:
            yield rest[0], int(rest[1]), "".join(rest[2:]), folder


def _normalise(frame: pd.DataFrame, metrics: Mapping[str, Any]) -> pd.DataFrame:
    """`raw_<objective>` -> `norm_<objective>`; NaN where a column is missing."""
    stats = metrics["normalisation"]
    scale = RewardScale(
        tuple(metrics["objectives"]), np.array(stats["mean"]), np.array(stats["std"])
    )
    raw = frame.reindex(columns=scale.raw_columns).to_numpy(dtype=np.float64)
    frame[scale.norm_columns] = scale.normalise(raw)
    return frame.drop(columns=[c for c in frame.columns if str(c).startswith("raw_")])
