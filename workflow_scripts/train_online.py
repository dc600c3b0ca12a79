"""Online preference optimisation from the SFT policy: MI-EPO, or MO-ODPO where beta_w is 0.

In:  base, data, sft, oracle_stats, oracle/<objective>; spec.params: objectives, oracles, lora, loss (a
     file of moa/training/online_losses/), settings (the config's online section).
Out: adapter/, metrics.jsonl, explored.parquet (w+ and raw rewards of every sampled response).
"""

import shutil
from importlib import import_module

from moa.datasets.splits import read_split
from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.models.prompts import distinct_prompts
from moa.models.settings import LoraSettings
from moa.oracles.base import load_oracles
from moa.oracles.scale import RewardScale
from moa.runtime.job import run
from moa.runtime.publishing import Job
from moa.training.loop import TrainingRun, train
from moa.training.online import OnlineTrainer
from moa.training.online_losses import module_name
from moa.training.settings import OnlineStage


def main(job: Job) -> None:
    objectives = job.params["objectives"]
    settings = OnlineStage.model_validate(job.params["settings"])
    lora = LoraSettings.model_validate(job.params["lora"])
    tokenizer = load_tokenizer(job.inputs["base"])
    data = read_split(job.inputs["data"], "train")
    policy = load_policy(job.inputs["base"], [job.inputs["sft"]], settings.dtype)
    trainer = OnlineTrainer(
        model=add_adapter(policy, lora, job.seed),
        tokenizer=tokenizer,
        rows=distinct_prompts(
            data, objectives, tokenizer, settings.max_prompt_tokens, settings.decimals
        ),
        oracles=load_oracles(
            objectives, job.params["oracles"], job.inputs, job.operation.oracle_placement
        ),
        scale=RewardScale.read(job.inputs["oracle_stats"], objectives),
        loss=import_module(module_name(job.params["loss"])).loss,
        settings=settings,
        run=TrainingRun.of(job),
    )
    metrics = train(trainer, trainer.run, settings.logging_steps, trainer.batches.save)
    if job.main:
        save_adapter(trainer.accelerator.unwrap_model(trainer.model), job.out)
        shutil.copy(metrics, job.out)
        trainer.explored.frame(objectives).to_parquet(job.out / "explored.parquet")


if __name__ == "__main__":
    run(main, __doc__)
