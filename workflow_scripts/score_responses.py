"""Score a block of a run's responses with every oracle, or with every judge.

In:  generate, oracle_stats, oracle/<objective>; spec.params: objectives, oracles. Of judges, the same of
     theirs.
Out: scores.parquet, and repeats.parquet of the further responses where there are any: what was generated,
     without token ids, with raw_<objective> and norm_<objective>.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from moa.oracles.base import Oracle, load_oracles, score_in_shards
from moa.oracles.scale import RewardScale
from moa.runtime.job import run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    objectives = job.params["objectives"]
    oracles = load_oracles(objectives, job.params["oracles"], job.inputs)
    scale = RewardScale.read(job.inputs["oracle_stats"], objectives)
    given = {"generations": "scores", "repeats": "repeats"}
    for generated, scored in given.items():
        path = job.inputs["generate"] / f"{generated}.parquet"
        if path.exists():  # a config may ask for no repeats
            frame = pd.read_parquet(path).drop(columns="ids")
            raw = score(job, oracles, frame, job.checkpoints / scored)
            frame[scale.raw_columns] = raw
            frame[scale.norm_columns] = scale.normalise(raw)
            frame.to_parquet(job.out / f"{scored}.parquet")


def score(job: Job, oracles: list[Oracle], frame: pd.DataFrame, folder: Path) -> np.ndarray:
    """Raw rewards (N, K) of the rows. folder: where shards are kept."""
    # A network's last bits depend on what else is in the batch, so no batch has two vectors: else
    # the scores would depend on how the vectors are cut into blocks.
    raw = np.empty((len(frame), len(oracles)))
    for vector, places in frame.groupby("vector").indices.items():
        rows = frame.iloc[places]
        raw[places] = score_in_shards(
            oracles,
            rows["prompt"].tolist(),
            rows["response"].tolist(),
            folder / f"vector{vector}",
            f"{job.name}, vector {vector}",
        )
    return raw


if __name__ == "__main__":
    run(main, __doc__)
