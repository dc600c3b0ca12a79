"""Online preference optimisation from the SFT policy: MI-EPO, or MO-ODPO where beta_w is 0.

In:  base, data, sft, oracle_stats, oracle/<objective>; spec.params: objectives, oracles, lora,
     settings (the config's online section).
Out: adapter/, metrics.jsonl, explored.parquet (w+ and raw rewards of every sampled response).
"""

import shutil

import pandas as pd

from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.models.prompts import training_rows
from moa.oracles.base import load_oracles
from moa.oracles.scale import read_stats
from moa.runtime.job import run
from moa.runtime.publishing import Job
from moa.training.loop import train
from moa.training.online import OnlineTrainer


def main(job: Job) -> None:
    objectives, settings = job.params["objectives"], job.params["settings"]
    placement = job.operation["oracle_placement"]
    tokenizer = load_tokenizer(job.inputs["base"])
    rows = pd.read_parquet(job.inputs["data"] / "data.parquet").query("split == 'train'")
    mean, std = read_stats(job.inputs["oracle_stats"], objectives)
    policy = load_policy(job.inputs["base"], [job.inputs["sft"]], settings["dtype"])
    trainer = OnlineTrainer(
        model=add_adapter(policy, job.params["lora"], job.seed),
        tokenizer=tokenizer,
        rows=training_rows(
            rows.to_dict("records"), objectives, tokenizer, settings["max_prompt_tokens"]
        ),
        objectives=objectives,
        oracles=load_oracles(objectives, job.params["oracles"], job.inputs, placement),
        mean=mean,
        std=std,
        settings=settings,
        operation=job.operation,
        checkpoints=job.checkpoints,
        seed=job.seed,
    )
    metrics = train(trainer, job.checkpoints, job.name, settings, job.operation, trainer.save_batch)
    if job.main:
        save_adapter(trainer.accelerator.unwrap_model(trainer.model), job.out)
        shutil.copy(metrics, job.out)
        trainer.explored.frame(objectives).to_parquet(job.out / "explored.parquet")


if __name__ == "__main__":
    run(main, __doc__)
