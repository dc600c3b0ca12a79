"""From a task's scores to its metrics: all runs over the same prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from moa.evaluation.bootstrap import prompt_counts
from moa.evaluation.comparisons import compare, reference_name, reference_points
from moa.evaluation.runs import RunScores, estimate, summarise
from moa.evaluation.settings import MetricsSettings


def reward_table(scores: pd.DataFrame, objectives: Sequence[str]) -> np.ndarray:
    """Normalised rewards (M, P, k) of one run and seed; vectors and prompts in sorted order.

    Raises: ValueError if some (vector, prompt) is missing or there twice.
    """
    ordered = scores.sort_values(["vector", "prompt_id"], kind="stable")
    m, p = ordered["vector"].nunique(), ordered["prompt_id"].nunique()
    if len(ordered) != m * p or ordered.duplicated(["vector", "prompt_id"]).any():
        raise ValueError(f"{len(ordered)} scores for {m} vectors and {p} prompts: some are missing")
    return ordered[[f"norm_{name}" for name in objectives]].to_numpy().reshape(m, p, -1)


def evaluate(
    runs: Sequence[RunScores],
    objectives: Sequence[str],
    settings: MetricsSettings,
    seed: int,
    first: Sequence[str] = (),
) -> dict[str, Any]:
    """The numbers of all runs: `prompts`, `references`, `runs` by name, `comparisons`.

    seed: of the resamples, which all runs share. first: runs that stand on the left of every difference.
    Raises: ValueError if runs differ in seeds or prompts, or miss a vector.
    """
    n_prompts = _common_prompts(runs)
    references = reference_points(
        settings.reference,
        settings.reference_sensitivity,
        np.concatenate([run.points for run in runs]),
    )
    counts = prompt_counts(n_prompts, settings.bootstrap_resamples, seed)
    estimates = {
        run.name: estimate(run, references, reference_name(settings.reference), counts)
        for run in runs
        if run.conditioned  # experts, one per objective, have points but no front
    }
    return {
        "prompts": n_prompts,
        "references": [{"name": n, "point": p.tolist()} for n, p in references.items()],
        "runs": {r.name: summarise(r, estimates.get(r.name), objectives, counts) for r in runs},
        "comparisons": compare({name: e.headline for name, e in estimates.items()}, first),
    }


def _common_prompts(runs: Sequence[RunScores]) -> int:
    """The number of prompts, after a check that all runs share their seeds and their prompts."""
    seeds, prompts = sorted(runs[0].rewards), set(runs[0].responses["prompt_id"])
    for run in runs:
        if sorted(run.rewards) != seeds:
            raise ValueError(
                f"{run.name}: seeds {sorted(run.rewards)}, but {runs[0].name} has {seeds}: runs are "
                "compared seed by seed, so score all of them under the same seeds"
            )
        shape = (len(run.vectors), len(prompts), run.vectors.shape[1])
        for seed, table in run.rewards.items():
            if set(run.responses["prompt_id"]) != prompts or table.shape != shape:
                raise ValueError(
                    f"{run.name}, seed {seed}: scores {table.shape} (vectors, prompts, objectives), "
                    f"but {runs[0].name} and the config's vectors ask for {shape} over the same "
                    "prompts: generate and score all runs of a task from the same data"
                )
    return len(prompts)
