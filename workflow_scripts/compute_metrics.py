"""All metrics of a task: HV, MIP, CRD, control and decodability per run, with intervals, and the
paired differences between runs; by the oracles, and by the judges where there are any.

In:  data, oracle_stats, oracle/*, and as judges/* the same of the judges; of every block of a run, named by
     its first vector: score/<run>/<seed>/<vector>, judge/..., likelihoods/..., reference/...; spec.params:
     runs (name, label, method, conditioned, has_policy, beta_w, betas, nats_per_token, vectors),
     objectives, oracles, judges, vectors, metrics, first (the runs that differences begin with), start
     (that of the SFT policy), similarity (what betas were multiplied by).
Out: metrics.json, the one file that figures and tables read.
"""

import json
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from moa.evaluation.evaluate import BOOTSTRAP_SEED, evaluate, repeat_table, reward_table
from moa.evaluation.optimum import optimum
from moa.evaluation.runs import RunScores
from moa.evaluation.settings import MetricsSettings
from moa.oracles import module_name
from moa.oracles.scale import RewardScale
from moa.runtime.files import write_json
from moa.runtime.job import log, run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    p = job.params
    objectives = p["objectives"]
    runs = [read_run(job, run) for run in p["runs"]]
    judged = [by_judges(job, run) for run in runs] if p["judges"] else []
    settings = MetricsSettings(**p["metrics"])
    results = evaluate(runs, objectives, settings, BOOTSTRAP_SEED, p["first"], judged, p["start"])
    for name, summary in results["runs"].items():
        for warning in summary["warnings"]:
            log.warning("%s: %s", name, warning)
    if judged:
        results["judged"] |= about(job, p["judges"], "judges/")
    write_json(
        job.out / "metrics.json",
        {
            "config": p["config"],
            "task": p["task"],
            "objectives": objectives,
            "vectors": p["vectors"],
            "reference": [p["metrics"]["reference"]] * len(objectives),
            "sft_response": p["sft_response"],
            "start": p["start"],
            "similarity": p["similarity"],
            **about(job, p["oracles"]),
            **results,
        },
    )


def about(job: Job, specs: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """What the oracles, or the judges, are worth: held-out reports, normalisation, the best there is."""
    scale = RewardScale.read(job.inputs[f"{prefix}oracle_stats"], job.params["objectives"])
    return {
        "oracle_reports": oracle_reports(job, f"{prefix}oracle/"),
        "normalisation": {
            "mean": scale.mean.tolist(),
            "std": scale.std.tolist(),
            "of": "the offline responses",
        },
        "optimum": best_achievable(job, specs, scale),
    }


def read_run(job: Job, run: dict[str, Any]) -> RunScores:
    """The scores of all seeds of a run, and the likelihoods of its responses where it has them."""
    name = run["name"]
    scores = scored(job, "score", name, "scores")
    seeds = sorted(scores["seed"].unique().tolist())
    told = run["conditioned"]
    asked = told and run["has_policy"]  # how probable its responses are
    return RunScores(
        name,
        run["label"],
        run["method"],
        told,
        run["beta_w"],
        run["betas"],
        run["nats_per_token"],
        np.array(run["vectors"], dtype=np.float64),
        rewards(scores, job.params["objectives"]),
        {s: of_blocks(job, "likelihoods", name, s) for s in seeds if asked},  # (P, M, M)
        {s: of_blocks(job, "reference", name, s) for s in seeds if asked},  # (P, M, 2)
        scores,
        repeated(job, "score", name, scores),
    )


def by_judges(job: Job, run: RunScores) -> RunScores:
    """The same run with the judges' rewards."""
    scores = scored(job, "judge", run.name, "scores")
    return replace(
        run,
        rewards=rewards(scores, job.params["objectives"]),
        responses=scores,
        repeats=repeated(job, "judge", run.name, scores),
    )


def scored(job: Job, role: str, run: str, file: str) -> pd.DataFrame:
    """A file of all seeds and blocks of a run. Empty if there is none."""
    found = [
        folder / f"{file}.parquet"
        for name, folder in job.inputs.items()
        if name.startswith(f"{role}/{run}/")
    ]
    parts = [pd.read_parquet(path) for path in found if path.exists()]
    return pd.concat(parts) if parts else pd.DataFrame({"seed": []})


def rewards(scores: pd.DataFrame, objectives: list[str]) -> dict[int, np.ndarray]:
    """seed -> (M, P, k), normalised."""
    seeds = sorted(scores["seed"].unique().tolist())
    return {seed: reward_table(scores[scores["seed"] == seed], objectives) for seed in seeds}


def repeated(job: Job, role: str, run: str, scores: pd.DataFrame) -> dict[int, np.ndarray]:
    """seed -> (N, M, P', k), normalised rewards of all responses to the prompts that have several."""
    further, objectives = scored(job, role, run, "repeats"), job.params["objectives"]
    found = {}
    for seed in sorted(further["seed"].unique().tolist()):
        own, more = (rows[rows["seed"] == seed] for rows in (scores, further))
        found[seed] = repeat_table(own, more, objectives)
    return found


def of_blocks(job: Job, stage: str, run: str, seed: int) -> np.ndarray:
    """What a stage has written of each block of vectors, side by side."""
    prefix = f"{stage}/{run}/{seed}/"
    folders = [folder for role, folder in job.inputs.items() if role.startswith(prefix)]
    return np.concatenate([np.load(folder / f"{stage}.npy") for folder in folders], axis=1)


def best_achievable(job: Job, specs: dict[str, Any], scale: RewardScale) -> dict[str, Any] | None:
    """The enumerated optimum, where every objective's oracle kind can enumerate it."""
    objectives = job.params["objectives"]
    kinds = {specs[name]["kind"] for name in objectives}
    if len(kinds) != 1:
        return None
    best_points = getattr(import_module(module_name(kinds.pop())), "best_points", None)
    if best_points is None:
        return None
    data = pd.read_parquet(job.inputs["data"] / "data.parquet").query("split == 'test'")
    return optimum(
        best_points,
        data.drop_duplicates("prompt_id")["prompt"].tolist(),
        np.array(job.params["vectors"]),
        scale,
        np.full(len(objectives), float(job.params["metrics"]["reference"])),
    )


def oracle_reports(job: Job, prefix: str) -> dict[str, Any]:
    """Held-out accuracy of every oracle, or judge, that was fitted in the workflow, by objective."""
    return {
        role.removeprefix(prefix): json.loads((folder / "report.json").read_text())
        for role, folder in job.inputs.items()
        if role.startswith(prefix)
    }


if __name__ == "__main__":
    run(main, __doc__)
