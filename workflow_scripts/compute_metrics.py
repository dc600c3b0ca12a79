"""All metrics of a task: HV, MIP, CRD, control and decodability per run, with intervals.

In:  data, oracle_stats, oracle/*, score/<run>/<seed>, generate/<run>/<seed>; spec.params: runs,
     objectives, vectors, metrics.
Out: metrics.json, the one file that figures and tables read.
"""

import json
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from moa.evaluation import optimum, reward_table, summarise_run
from moa.job import log, run
from moa.labels import run_label
from moa.oracles import module_name
from moa.store import Job, write_json
from moa.tasks import read_stats

BOOTSTRAP_SEED = 0


def main(job: Job) -> None:
    p = job.params
    objectives, vectors = p["objectives"], np.array(p["vectors"])
    runs: dict[str, Any] = {}
    n_prompts = 0
    for name, method in p["runs"]:
        tables, likelihoods, frames = {}, {}, []
        for role, folder in job.inputs.items():
            if role.startswith(f"score/{name}/"):
                seed = int(role.rsplit("/", 1)[1])
                frame = pd.read_parquet(folder / "scores.parquet")
                frames.append(frame)
                tables[seed] = reward_table(frame, objectives)
                likelihoods[seed] = np.load(
                    job.inputs[f"generate/{name}/{seed}"] / "likelihoods.npy"
                )
                n_prompts = tables[seed].shape[1]
        summary = summarise_run(
            tables,
            likelihoods,
            pd.concat(frames),
            vectors,
            objectives,
            p["metrics"],
            BOOTSTRAP_SEED,
        )
        runs[name] = {"method": method, "label": run_label(name, method), **summary}
        for warning in summary["warnings"]:
            log.warning("%s: %s", name, warning)
    write_json(
        job.out / "metrics.json",
        {
            "config": p["config"],
            "task": p["task"],
            "objectives": objectives,
            "vectors": p["vectors"],
            "prompts": n_prompts,
            "reference": [p["metrics"]["reference"]] * len(objectives),
            "sft_response": p["sft_response"],
            "oracle_reports": oracle_reports(job),
            "runs": runs,
            "optimum": best_achievable(job),
        },
    )


def best_achievable(job: Job) -> dict[str, Any] | None:
    """The enumerated optimum, where every objective's oracle kind can enumerate it."""
    objectives = job.params["objectives"]
    kinds = {job.params["oracles"][name]["kind"] for name in objectives}
    if len(kinds) != 1:
        return None
    best_points = getattr(import_module(module_name(kinds.pop())), "best_points", None)
    if best_points is None:
        return None
    data = pd.read_parquet(job.inputs["data"] / "data.parquet").query("split == 'test'")
    mean, std = read_stats(job.inputs["oracle_stats"], objectives)
    return optimum(
        best_points,
        objectives,
        data.drop_duplicates("prompt_id")["prompt"].tolist(),
        np.array(job.params["vectors"]),
        mean,
        std,
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
