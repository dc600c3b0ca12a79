"""Score the train split's responses with every oracle: the statistics that normalise all rewards.

In:  data, oracle/<objective> where an oracle is fitted; spec.params: objectives, oracles.
Out: offline_rewards.parquet (prompt_id, candidate, response, raw_<objective>),
     stats.json (mean and std per objective over prompts with dataset responses).
"""

import pandas as pd

from moa.oracles.base import load_oracles, score_in_shards
from moa.runtime.errors import JobError
from moa.runtime.files import write_json
from moa.runtime.job import log, run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    objectives = job.params["objectives"]
    data = pd.read_parquet(job.inputs["data"] / "data.parquet").query("split == 'train'")
    long = data.melt(
        id_vars=["prompt_id", "prompt"],
        value_vars=["chosen", "rejected"],
        var_name="candidate",
        value_name="response",
        ignore_index=False,
    )
    long = long.dropna(subset=["response"]).rename_axis("row").reset_index()
    oracles = load_oracles(objectives, job.params["oracles"], job.inputs)
    prompts, responses = long["prompt"].tolist(), long["response"].tolist()
    rewards = score_in_shards(oracles, prompts, responses, job.checkpoints, "offline rewards")
    mean, std = rewards.mean(axis=0), rewards.std(axis=0, ddof=1)
    if not (std > 0).all():
        raise JobError(
            f"objective {objectives[int(std.argmin())]} has the same reward for every offline "
            "response, so it cannot be normalised: check its oracle"
        )
    long[[f"raw_{name}" for name in objectives]] = rewards
    long.to_parquet(job.out / "offline_rewards.parquet")
    stats = {
        name: {"mean": float(m), "std": float(s)}
        for name, m, s in zip(objectives, mean, std, strict=True)
    }
    write_json(job.out / "stats.json", {"responses": len(long), "objectives": stats})
    log.info("%s", stats)


if __name__ == "__main__":
    run(main, __doc__)
