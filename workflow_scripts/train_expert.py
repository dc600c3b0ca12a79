"""Train a single-reward RLHF expert from the SFT policy with RLOO.

In:  base, data, sft, oracle_stats, oracle/<objective>; spec.params: objectives, objective (the one
     it is rewarded for), oracles, lora, settings (the config's experts section).
Out: adapter/, metrics.jsonl.
"""

import shutil

import pandas as pd

from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.models.prompts import training_rows
from moa.oracles.base import load_oracles
from moa.oracles.scale import read_stats
from moa.runtime.job import run
from moa.runtime.publishing import Job
from moa.training.rloo import train_expert


def main(job: Job) -> None:
    objectives, objective = job.params["objectives"], job.params["objective"]
    settings = job.params["settings"]
    tokenizer = load_tokenizer(job.inputs["base"])
    rows = pd.read_parquet(job.inputs["data"] / "data.parquet").query("split == 'train'")
    mean, std = read_stats(job.inputs["oracle_stats"], [objective])
    policy = load_policy(job.inputs["base"], [job.inputs["sft"]], settings["dtype"])
    model = add_adapter(policy, job.params["lora"], job.seed)
    metrics = train_expert(
        model,
        tokenizer,
        training_rows(
            rows.to_dict("records"), objectives, tokenizer, settings["max_prompt_tokens"]
        ),
        objectives,
        load_oracles(
            [objective], job.params["oracles"], job.inputs, job.operation["oracle_placement"]
        )[0],
        float(mean[0]),
        float(std[0]),
        settings,
        job.operation,
        checkpoints=job.checkpoints,
        seed=job.seed,
        title=job.name,
    )
    if job.main:
        save_adapter(model, job.out)
        shutil.copy(metrics, job.out)


if __name__ == "__main__":
    run(main, __doc__)
