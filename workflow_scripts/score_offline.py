"""Score the train split's responses with every oracle: the statistics that normalise all rewards.

In:  data, oracle/<objective> where an oracle is fitted; spec.params: objectives, oracles.
Out: offline_rewards.parquet (prompt_id, candidate, response, raw_<objective>),
     stats.json (mean and std per objective over prompts with dataset responses).
"""

from moa.datasets.splits import read_split
from moa.oracles.base import load_oracles, score_in_shards
from moa.oracles.scale import RewardScale
from moa.runtime.job import log, run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    objectives = job.params["objectives"]
    long = read_split(job.inputs["data"], "train").melt(
        id_vars=["prompt_id", "prompt"],
        value_vars=["chosen", "rejected"],
        var_name="candidate",
        value_name="response",
        ignore_index=False,
    )
    long = long.dropna(subset=["response"]).rename_axis("row").reset_index()
    oracles = load_oracles(objectives, job.params["oracles"], job.inputs)
    prompts, responses = long["prompt"].tolist(), long["response"].tolist()
    raw = score_in_shards(oracles, prompts, responses, job.checkpoints, "offline rewards")
    scale = RewardScale.measure(objectives, raw)
    long[scale.raw_columns] = raw
    long.to_parquet(job.out / "offline_rewards.parquet")
    scale.write(job.out, responses=len(long))
    log.info("%s: mean %s, std %s", ", ".join(objectives), scale.mean, scale.std)


if __name__ == "__main__":
    run(main, __doc__)
