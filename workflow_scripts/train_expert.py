"""Train a single-reward RLHF expert from the SFT policy with RLOO.

In:  base, data, sft, oracle_stats, oracle/<objective>; spec.params: objectives, objective (the one
     it is rewarded for), oracles, lora, settings (the config's experts section).
Out: adapter/, metrics.jsonl.
"""

import shutil

from moa.datasets.splits import read_split
from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.models.prompts import distinct_prompts
from moa.models.settings import LoraSettings
from moa.oracles.base import load_oracles
from moa.oracles.scale import RewardScale
from moa.runtime.job import run
from moa.runtime.publishing import Job
from moa.training.loop import TrainingRun
from moa.training.rloo import train_expert
from moa.training.settings import ExpertStage


def main(job: Job) -> None:
    objectives, objective = job.params["objectives"], job.params["objective"]
    settings = ExpertStage.model_validate(job.params["settings"])
    lora = LoraSettings.model_validate(job.params["lora"])
    tokenizer = load_tokenizer(job.inputs["base"])
    data = read_split(job.inputs["data"], "train")
    policy = load_policy(job.inputs["base"], [job.inputs["sft"]], settings.dtype)
    model = add_adapter(policy, lora, job.seed)
    (oracle,) = load_oracles(
        [objective], job.params["oracles"], job.inputs, job.operation.oracle_placement
    )
    metrics = train_expert(
        model,
        tokenizer,
        distinct_prompts(
            data, objectives, tokenizer, settings.max_prompt_tokens, settings.decimals
        ),
        objectives,
        oracle,
        RewardScale.read(job.inputs["oracle_stats"], [objective]),
        settings,
        TrainingRun.of(job),
    )
    if job.main:
        save_adapter(model, job.out)
        shutil.copy(metrics, job.out)


if __name__ == "__main__":
    run(main, __doc__)
