"""All metrics of a task: HV, MIP, CRD, control and decodability per run, with intervals, and the
paired differences between runs.

In:  data, oracle_stats, oracle/*, and of every block of a run's vectors, named by its first:
     score/<run>/<seed>/<vector>, likelihoods/..., reference/...; spec.params: runs (name, label, method,
     conditioned, beta_w, betas, nats_per_token, vectors), objectives, oracles, vectors, metrics, first (the
     runs that differences begin with), similarity (what betas were multiplied by).
Out: metrics.json, the one file that figures and tables read.
"""

import json
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from moa.evaluation.evaluate import evaluate, reward_table
from moa.evaluation.optimum import optimum
from moa.evaluation.runs import RunScores
from moa.evaluation.settings import MetricsSettings
from moa.oracles import module_name
from moa.oracles.scale import RewardScale
from moa.runtime.files import write_json
from moa.runtime.job import log, run
from moa.runtime.publishing import Job

BOOTSTRAP_SEED = 0


def main(job: Job) -> None:
    p = job.params
    objectives = p["objectives"]
    runs = [read_run(job, run) for run in p["runs"]]
    results = evaluate(
        runs, objectives, MetricsSettings(**p["metrics"]), BOOTSTRAP_SEED, p["first"]
    )
    for name, summary in results["runs"].items():
        for warning in summary["warnings"]:
            log.warning("%s: %s", name, warning)
    scale = RewardScale.read(job.inputs["oracle_stats"], objectives)
    write_json(
        job.out / "metrics.json",
        {
            "config": p["config"],
            "task": p["task"],
            "objectives": objectives,
            "vectors": p["vectors"],
            "reference": [p["metrics"]["reference"]] * len(objectives),
            "sft_response": p["sft_response"],
            "similarity": p["similarity"],
            "oracle_reports": oracle_reports(job),
            "normalisation": {"mean": scale.mean.tolist(), "std": scale.std.tolist()},
            "optimum": best_achievable(job, scale),
            **results,
        },
    )


def read_run(job: Job, run: dict[str, Any]) -> RunScores:
    """The scores of all seeds of a run, and the likelihoods of its responses where it has them."""
    name = run["name"]
    rewards: dict[int, np.ndarray] = {}
    likelihoods: dict[int, np.ndarray] = {}
    references: dict[int, np.ndarray] = {}
    blocks = [
        pd.read_parquet(folder / "scores.parquet")
        for role, folder in job.inputs.items()
        if role.startswith(f"score/{name}/")
    ]
    scores = pd.concat(blocks)
    for seed in sorted(scores["seed"].unique().tolist()):
        rewards[seed] = reward_table(scores[scores["seed"] == seed], job.params["objectives"])
        if run["conditioned"]:
            likelihoods[seed] = of_blocks(job, "likelihoods", name, seed)  # (P, M, M)
            references[seed] = of_blocks(job, "reference", name, seed)  # (P, M, 2)
    return RunScores(
        name,
        run["label"],
        run["method"],
        run["conditioned"],
        run["beta_w"],
        run["betas"],
        run["nats_per_token"],
        np.array(run["vectors"], dtype=np.float64),
        rewards,
        likelihoods,
        references,
        scores,
    )


def of_blocks(job: Job, stage: str, run: str, seed: int) -> np.ndarray:
    """What a stage has written of each block of vectors, side by side."""
    prefix = f"{stage}/{run}/{seed}/"
    folders = [folder for role, folder in job.inputs.items() if role.startswith(prefix)]
    return np.concatenate([np.load(folder / f"{stage}.npy") for folder in folders], axis=1)


def best_achievable(job: Job, scale: RewardScale) -> dict[str, Any] | None:
    """The enumerated optimum, where every objective's oracle kind can enumerate it."""
    objectives = job.params["objectives"]
    kinds = {job.params["oracles"][name]["kind"] for name in objectives}
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


def oracle_reports(job: Job) -> dict[str, Any]:
    """Held-out accuracy of every oracle that was fitted in the workflow, by objective."""
    return {
        role.split("/", 1)[1]: json.loads((folder / "report.json").read_text())
        for role, folder in job.inputs.items()
        if role.startswith("oracle/")
    }


if __name__ == "__main__":
    run(main, __doc__)
