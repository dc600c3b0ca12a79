"""Supervised fine-tuning of the base under G(x, w) with random w: the start of every method.

In:  base, data, oracle_stats (only with `response: routed`); spec.params: objectives, lora,
     settings (the config's sft section).
Out: adapter/, metrics.jsonl.
"""

import shutil

import numpy as np
import pandas as pd

from moa.models.policies import add_adapter, load_policy, load_tokenizer, save_adapter
from moa.oracles.scale import read_stats
from moa.runtime.job import log, run
from moa.runtime.publishing import Job
from moa.training.sft import conditioned_examples, train_sft


def main(job: Job) -> None:
    objectives, settings = job.params["objectives"], job.params["settings"]
    tokenizer = load_tokenizer(job.inputs["base"])
    rows = pd.read_parquet(job.inputs["data"] / "data.parquet").query("split == 'train'")
    if settings["response"] == "routed":
        rows = rows.assign(rewards=candidate_rewards(job, objectives))
    examples = conditioned_examples(
        rows.to_dict("records"), objectives, settings, tokenizer, job.seed
    )
    log.info("%d examples", len(examples))
    model = load_policy(job.inputs["base"], dtype=settings["dtype"])
    model = add_adapter(model, job.params["lora"], job.seed)
    metrics = train_sft(
        model,
        tokenizer,
        examples,
        settings,
        job.operation,
        checkpoints=job.checkpoints,
        seed=job.seed,
        title=job.name,
    )
    if job.main:
        save_adapter(model, job.out)
        shutil.copy(metrics, job.out)


def candidate_rewards(job: Job, objectives: list[str]) -> pd.Series:
    """Per data row, a list over its candidates of K normalised offline rewards."""
    folder = job.inputs["oracle_stats"]
    mean, std = read_stats(folder, objectives)
    offline = pd.read_parquet(folder / "offline_rewards.parquet").sort_values("candidate")
    raw = offline[[f"raw_{name}" for name in objectives]].to_numpy()
    offline["normalised"] = list(np.round((raw - mean) / std, 12).tolist())
    return offline.groupby("row")["normalised"].agg(list)


if __name__ == "__main__":
    run(main, __doc__)
