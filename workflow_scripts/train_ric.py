"""Rewards-in-Context from the SFT policy: an offline stage and online rounds.

In:  base, sft, data, oracle_stats, oracle/<objective>; spec.params: objectives, oracles, lora,
     settings (the config's ric section).
Out: adapter/, goals.json (what maps a preference to desired rewards), metrics.jsonl.
"""

import shutil

import pandas as pd

from moa.models.goals import GOALS
from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.oracles.base import load_oracles
from moa.oracles.scale import read_stats
from moa.runtime.files import write_json
from moa.runtime.job import run
from moa.runtime.publishing import Job
from moa.training.ric import RiC


def main(job: Job) -> None:
    objectives, settings = job.params["objectives"], job.params["settings"]
    placement = job.operation["oracle_placement"]
    mean, std = read_stats(job.inputs["oracle_stats"], objectives)
    offline = pd.read_parquet(job.inputs["oracle_stats"] / "offline_rewards.parquet")
    raw = offline[[f"raw_{name}" for name in objectives]].to_numpy()
    offline[[f"norm_{name}" for name in objectives]] = (raw - mean) / std
    policy = load_policy(job.inputs["base"], [job.inputs["sft"]], settings["dtype"])
    ric = RiC(
        model=add_adapter(policy, job.params["lora"], job.seed),
        tokenizer=load_tokenizer(job.inputs["base"]),
        objectives=objectives,
        oracles=load_oracles(objectives, job.params["oracles"], job.inputs, placement),
        offline=offline,
        mean=mean,
        std=std,
        settings=settings,
        operation=job.operation,
        checkpoints=job.checkpoints,
        seed=job.seed,
    )
    metrics = ric.train()
    if job.main:
        save_adapter(ric.model, job.out)
        write_json(job.out / GOALS, ric.goals())
        shutil.copy(metrics, job.out)


if __name__ == "__main__":
    run(main, __doc__)
