"""Rewards-in-Context from the SFT policy: an offline stage and online rounds.

In:  base, sft, data, oracle_stats, oracle/<objective>; spec.params: objectives, oracles, lora,
     settings (the config's ric section).
Out: adapter/, goals.json (what maps a preference to desired rewards), metrics.jsonl.
"""

import shutil

import pandas as pd

from moa.models.goals import GOALS
from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.models.settings import LoraSettings
from moa.oracles.base import load_oracles
from moa.oracles.scale import RewardScale
from moa.runtime.files import write_json
from moa.runtime.job import run
from moa.runtime.publishing import Job
from moa.training.loop import TrainingRun
from moa.training.ric import RiC
from moa.training.settings import RiCStage


def main(job: Job) -> None:
    objectives = job.params["objectives"]
    settings = RiCStage.model_validate(job.params["settings"])
    lora = LoraSettings.model_validate(job.params["lora"])
    scale = RewardScale.read(job.inputs["oracle_stats"], objectives)
    offline = pd.read_parquet(job.inputs["oracle_stats"] / "offline_rewards.parquet")
    offline[scale.norm_columns] = scale.normalise(offline[scale.raw_columns].to_numpy())
    policy = load_policy(job.inputs["base"], [job.inputs["sft"]], settings.dtype)
    ric = RiC(
        model=add_adapter(policy, lora, job.seed),
        tokenizer=load_tokenizer(job.inputs["base"]),
        oracles=load_oracles(
            objectives, job.params["oracles"], job.inputs, job.operation.oracle_placement
        ),
        offline=offline,
        scale=scale,
        settings=settings,
        run=TrainingRun.of(job),
    )
    metrics = ric.train()
    if job.main:
        save_adapter(ric.model, job.out)
        write_json(job.out / GOALS, ric.goals())
        shutil.copy(metrics, job.out)


if __name__ == "__main__":
    run(main, __doc__)
