"""Supervised fine-tuning of the base under G(x, w) with random w: the start of every method.

In:  base, data, oracle_stats (only with `response: routed`); spec.params: objectives, lora,
     settings (the config's sft section).
Out: adapter/, metrics.jsonl.
"""

import shutil

from moa.datasets.splits import read_split
from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.models.settings import LoraSettings
from moa.oracles.scale import RewardScale
from moa.runtime.job import log, run
from moa.runtime.publishing import Job
from moa.training.loop import TrainingRun
from moa.training.processes import use_threads
from moa.training.settings import SFTStage
from moa.training.sft import candidate_rewards, conditioned_examples, train_sft


def main(job: Job) -> None:
    use_threads()
    objectives = job.params["objectives"]
    settings = SFTStage.model_validate(job.params["settings"])
    lora = LoraSettings.model_validate(job.params["lora"])
    tokenizer = load_tokenizer(job.inputs["base"])
    rows = read_split(job.inputs["data"], "train")
    if settings.response == "routed":
        folder = job.inputs["oracle_stats"]
        scale = RewardScale.read(folder, objectives)
        rows = rows.assign(rewards=candidate_rewards(folder, scale))
    examples = conditioned_examples(rows, objectives, settings, tokenizer, job.seed)
    log.info("%d examples", len(examples))
    base = load_policy(job.inputs["base"], dtype=settings.dtype)
    model = add_adapter(base, lora, job.seed)
    metrics = train_sft(model, tokenizer, examples, settings, settings.dtype, TrainingRun.of(job))
    if job.main:
        save_adapter(model, job.out)
        shutil.copy(metrics, job.out)


if __name__ == "__main__":
    run(main, __doc__)
