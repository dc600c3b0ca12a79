"""Score a run's generated responses with every oracle.

In:  generate, oracle_stats, oracle/<objective>; spec.params: objectives, oracles.
Out: scores.parquet: the generations with raw_<objective> and norm_<objective>.
"""

import numpy as np
import pandas as pd

from moa.job import run
from moa.oracles.base import load_oracles, score_all
from moa.progress import Progress
from moa.store import Job
from moa.tasks import read_stats

BATCH = 256


def main(job: Job) -> None:
    objectives = job.params["objectives"]
    frame = pd.read_parquet(job.inputs["generate"] / "generations.parquet")
    oracles = load_oracles(objectives, job.params["oracles"], job.inputs)
    bar = Progress(len(frame), job.name, "responses")
    parts = []
    for start in range(0, len(frame), BATCH):
        part = frame.iloc[start : start + BATCH]
        parts.append(score_all(oracles, part["prompt"].tolist(), part["response"].tolist()))
        bar.update(len(part))
    bar.close()
    raw = np.concatenate(parts)
    mean, std = read_stats(job.inputs["oracle_stats"], objectives)
    frame[[f"raw_{name}" for name in objectives]] = raw
    frame[[f"norm_{name}" for name in objectives]] = (raw - mean) / std
    frame.to_parquet(job.out / "scores.parquet")


if __name__ == "__main__":
    run(main, __doc__)
