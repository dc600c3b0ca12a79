"""All tasks of a config together: how each run stands among the others, over tasks and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from moa.metrics import interquartile_mean
from moa.reporting.tables.common import (
    DASH,
    HEADLINE,
    TITLES,
    Table,
    conditioned_runs,
    title,
)

RESAMPLES, SEED = 2000, 0
LOWER = ("crd",)  # metrics of which less is better


def frame(pooled: Mapping[str, Any], paper: Mapping[str, Any]) -> pd.DataFrame:
    """One row per run and metric, all numbers as numbers: the csv.

    score: interquartile mean over tasks and seeds; low, high: its 95 % interval, over seeds. Of runs that
    every task has.
    """
    rows = []
    for key in HEADLINE:
        for name, scores in _scores(pooled["tasks"], key).items():
            low, high = _interval(scores)
            score = interquartile_mean(scores)
            rows.append({"run": name, "metric": key, "score": score, "low": low, "high": high})
    return pd.DataFrame(rows, columns=["run", "metric", "score", "low", "high"])


def _scores(tasks: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, np.ndarray]:
    """Run -> (tasks, seeds): 0 for the worst mean of a task's runs, 1 for the best."""
    by_task = [conditioned_runs(metrics) for metrics in tasks.values()]
    shared = [name for name in by_task[0] if all(name in runs for runs in by_task)]
    found: dict[str, list[np.ndarray]] = {name: [] for name in shared}
    for runs in by_task:
        means = [run[key]["mean"] for run in runs.values()]
        worst, best = (max(means), min(means)) if key in LOWER else (min(means), max(means))
        for name in shared:
            values = np.array([seed[key] for seed in runs[name]["seeds"].values()])
            found[name].append((values - worst) / (best - worst) if best != worst else 0 * values)
    return {name: np.stack(scores) for name, scores in found.items()}


def _interval(scores: np.ndarray) -> tuple[float | None, float | None]:
    """Of the interquartile mean when the seeds of every task are drawn again: scores (tasks, seeds)."""
    tasks, seeds = scores.shape
    if seeds == 1:
        return None, None
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(seeds, size=(RESAMPLES, tasks, seeds))
    resampled = np.take_along_axis(scores[None], drawn, axis=2)
    means = [interquartile_mean(sample) for sample in resampled]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def table(pooled: Mapping[str, Any], paper: Mapping[str, Any]) -> Table:
    """The table to read, with what it is made of underneath."""
    cells: dict[str, list[str]] = {}
    for row in frame(pooled, {}).to_dict("records"):
        cells.setdefault(row["run"], []).append(_cell(row))
    labels = {
        name: run["label"]
        for metrics in pooled["tasks"].values()
        for name, run in metrics["runs"].items()
    }
    rows = [[labels[name], *row] for name, row in cells.items()]
    header = ["Method", *(name.split()[0] for name in TITLES.values())]
    return Table(title({**pooled, "task": "all tasks"}), header, rows, _notes(pooled))


def _cell(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["low"]):
        return f"{row['score']:z.2f}"
    return f"{row['score']:z.2f} [{row['low']:z.2f}, {row['high']:z.2f}]"


def _notes(pooled: Mapping[str, Any]) -> list[str]:
    tasks = pooled["tasks"]
    seeds = sorted(
        {len(run["seeds"]) for metrics in tasks.values() for run in metrics["runs"].values()}
    )
    notes = [
        f"Tasks: {', '.join(tasks)}; {'/'.join(map(str, seeds))} seed(s). Per task and metric, 0 is the "
        "worst mean of its runs and 1 the best (of CRD the lowest), so that tasks can be pooled; which "
        "runs there are decides the numbers. Cells: interquartile mean over tasks and seeds [95 % "
        "bootstrap interval, seeds drawn again within tasks].",
    ]
    for pair in next(iter(tasks.values()))["comparisons"][:1]:
        run, against = pair["run"], pair["against"]
        chances = ", ".join(
            f"{HEADLINE[key]} {_chance(pooled, run, against, key)}" for key in HEADLINE
        )
        one, other = (next(iter(tasks.values()))["runs"][name]["label"] for name in (run, against))
        notes.append(
            f"Probability that a run of {one} is better than one of {other} on the same task, mean over "
            f"tasks: {chances}."
        )
    return notes


def _chance(pooled: Mapping[str, Any], run: str, against: str, key: str) -> str:
    found = [
        pair[key]["over_seeds"]["improvement"]
        for metrics in pooled["tasks"].values()
        for pair in metrics["comparisons"]
        if (pair["run"], pair["against"]) == (run, against)
    ]
    if len(found) < len(pooled["tasks"]):
        return DASH
    mean = float(np.mean(found))
    return f"{1 - mean if key in LOWER else mean:.2f}"
