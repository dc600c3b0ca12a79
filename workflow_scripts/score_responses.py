"""Score a block of a run's responses with every oracle.

In:  generate, oracle_stats, oracle/<objective>; spec.params: objectives, oracles.
Out: scores.parquet: the generations, without token ids, with raw_<objective> and norm_<objective>.
"""

import numpy as np
import pandas as pd

from moa.oracles.base import load_oracles, score_in_shards
from moa.oracles.scale import RewardScale
from moa.runtime.job import run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    objectives = job.params["objectives"]
    frame = pd.read_parquet(job.inputs["generate"] / "generations.parquet").drop(columns="ids")
    oracles = load_oracles(objectives, job.params["oracles"], job.inputs)
    # A network's last bits depend on what else is in the batch, so no batch has two vectors: else
    # the scores would depend on how the vectors are cut into blocks.
    raw = np.empty((len(frame), len(objectives)))
    for vector, places in frame.groupby("vector").indices.items():
        rows = frame.iloc[places]
        raw[places] = score_in_shards(
            oracles,
            rows["prompt"].tolist(),
            rows["response"].tolist(),
            job.checkpoints / f"vector{vector}",
            f"{job.name}, vector {vector}",
        )
    scale = RewardScale.read(job.inputs["oracle_stats"], objectives)
    frame[scale.raw_columns] = raw
    frame[scale.norm_columns] = scale.normalise(raw)
    frame.to_parquet(job.out / "scores.parquet")


if __name__ == "__main__":
    run(main, __doc__)
