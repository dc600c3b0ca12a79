"""All metrics of a task: HV, MIP, CRD, control and decodability per run, with intervals, and the
paired differences between runs.

In:  data, oracle_stats, oracle/*, score/<run>/<seed>/<vector> (a block of vectors, by its first),
     likelihoods/<run>/<seed>/<vector>; spec.params: runs (name, label, method, conditioned, beta_w,
     vectors), objectives, oracles, vectors, metrics, first (the runs that differences begin with).
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
    blocks = [
        pd.read_parquet(folder / "scores.parquet")
        for role, folder in job.inputs.items()
        if role.startswith(f"score/{name}/")
    ]
    scores = pd.concat(blocks)
    for seed in sorted(scores["seed"].unique().tolist()):
        rewards[seed] = reward_table(scores[scores["seed"] == seed], job.params["objectives"])
        if run["conditioned"]:
            parts = [
                np.load(folder / "likelihoods.npy")
                for role, folder in job.inputs.items()
                if role.startswith(f"likelihoods/{name}/{seed}/")
            ]
            likelihoods[seed] = np.concatenate(parts, axis=1)  # (P, B, M) each
    return RunScores(
        name,
        run["label"],
        run["method"],
        run["conditioned"],
        run["beta_w"],
        np.array(run["vectors"], dtype=np.float64),
        rewards,
        likelihoods,
        scores,
    )


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
