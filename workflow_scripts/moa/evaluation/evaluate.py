"""From a task's scores to its metrics: all runs over the same prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from moa.evaluation.bootstrap import prompt_counts
from moa.evaluation.comparisons import compare, reference_name, reference_points
from moa.evaluation.matched import match
from moa.evaluation.runs import Estimates, RunScores, estimate, summarise
from moa.evaluation.settings import MetricsSettings

BOOTSTRAP_SEED = 0


def reward_table(scores: pd.DataFrame, objectives: Sequence[str]) -> np.ndarray:
    """Normalised rewards (M, P, k) of one run and seed; vectors and prompts in sorted order.

    Raises: ValueError if some (vector, prompt) is missing or there twice.
    """
    ordered = scores.sort_values(["vector", "prompt_id"], kind="stable")
    m, p = ordered["vector"].nunique(), ordered["prompt_id"].nunique()
    if len(ordered) != m * p or ordered.duplicated(["vector", "prompt_id"]).any():
        raise ValueError(f"{len(ordered)} scores for {m} vectors and {p} prompts: some are missing")
    return ordered[[f"norm_{name}" for name in objectives]].to_numpy().reshape(m, p, -1)


def repeat_table(
    scores: pd.DataFrame, repeats: pd.DataFrame, objectives: Sequence[str]
) -> np.ndarray:
    """Normalised rewards (N, M, P', k) of one run and seed: all responses to the prompts that have several.

    scores: of its first responses, among others. repeats: of the further ones, with `sample`.
    Raises: ValueError as `reward_table`, or if there is no first response to a prompt.
    """
    first = scores[scores["prompt_id"].isin(repeats["prompt_id"])]
    samples = [first, *(rows for _, rows in repeats.groupby("sample"))]
    tables = [reward_table(rows, objectives) for rows in samples]
    if odd := [table.shape for table in tables if table.shape != tables[0].shape]:
        raise ValueError(
            f"further responses {odd[0]} (vectors, prompts, objectives) to prompts whose first "
            f"ones are {tables[0].shape}: some are missing"
        )
    return np.stack(tables)


def evaluate(
    runs: Sequence[RunScores],
    objectives: Sequence[str],
    settings: MetricsSettings,
    seed: int,
    first: Sequence[str] = (),
    judged: Sequence[RunScores] = (),
    start: str | None = None,
) -> dict[str, Any]:
    """The numbers of all runs: `prompts`, `references`, `runs` by name, `comparisons`, `matched_kl`; and
    under `judged` the same by the judges, with `gaps` (by run and metric: the gain over `start` by the
    oracles minus that by the judges), or None.

    seed: of the resamples, which all runs share. first: runs that stand on the left of every difference,
    and between which KL is matched. judged: the same runs with the judges' rewards. start:
    the run of the SFT policy, if there is one.
    Raises: ValueError if runs differ in seeds or prompts, or miss a vector.
    """
    found, estimates = _evaluated(runs, objectives, settings, seed, first, start)
    if not judged:
        return found | {"judged": None}
    theirs, by_judges = _evaluated(judged, objectives, settings, seed, first, start)
    apart = {
        name: {key: own.headline[key] - by_judges[name].headline[key] for key in own.headline}
        for name, own in estimates.items()
    }
    first_apart = apart.get(start or "", {})
    gaps = {
        name: {
            key: (gap - first_apart[key] if first_apart else gap).summary()
            for key, gap in own.items()
        }
        for name, own in apart.items()
    }
    return found | {"judged": theirs | {"gaps": gaps}}


def _evaluated(
    runs: Sequence[RunScores],
    objectives: Sequence[str],
    settings: MetricsSettings,
    seed: int,
    first: Sequence[str],
    start: str | None,
) -> tuple[dict[str, Any], dict[str, Estimates]]:
    """By one set of rewards."""
    n_prompts = _common_prompts(runs)
    references = reference_points(
        settings.reference,
        settings.reference_sensitivity,
        np.concatenate([run.points for run in runs]),
    )
    headline = reference_name(settings.reference)
    counts = prompt_counts(n_prompts, settings.bootstrap_resamples, seed)
    estimates = {
        run.name: estimate(run, references, headline, counts)
        for run in runs
        if run.conditioned  # experts, one per objective, have points but no front
    }
    summaries = {r.name: summarise(r, estimates.get(r.name), objectives, counts) for r in runs}
    return {
        "prompts": n_prompts,
        "repeated": _repeated(runs),
        "references": [{"name": n, "point": p.tolist()} for n, p in references.items()],
        "runs": summaries,
        "comparisons": compare({name: e.headline for name, e in estimates.items()}, first),
        "matched_kl": match(summaries, start, first, references[headline]),
    }, estimates


def _repeated(runs: Sequence[RunScores]) -> dict[str, int] | None:
    """How many prompts have several responses under every vector, and how many."""
    tables = [table for run in runs for table in run.repeats.values()]
    return {"responses": len(tables[0]), "prompts": tables[0].shape[2]} if tables else None


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
