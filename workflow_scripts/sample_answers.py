"""Answers of the base to every prompt, and of them the pairs that a task's data are then made of.

In:  base, data, oracle/<objective> where an oracle is fitted; spec.params: objectives, oracles, answers
     (samples, pairs, share), generation.
Out: data.parquet as prepare_data leaves it, with the base's answers as chosen and rejected, and prompts of
     little contrast left out; answers.parquet: all answers, with raw_<objective>.
"""

import numpy as np
import pandas as pd

from moa.datasets.answers import contrasts, pairs
from moa.datasets.splits import DATA
from moa.evaluation.responses import sample_responses
from moa.models.conditioning.weights_in_prompt import load
from moa.models.policies import load_tokenizer
from moa.models.prompts import distinct_prompts
from moa.models.sampling import Sampling
from moa.models.settings import GenerationStage
from moa.oracles.base import load_oracles, score_in_shards
from moa.preferences import uniform
from moa.runtime.errors import JobError
from moa.runtime.job import log, run
from moa.runtime.progress import Progress
from moa.runtime.publishing import Job

NUMBER = (
    1_000_000  # of the even vector, as no evaluation has it: the answers have streams of their own
)
COLUMNS = ("prompt_id", "prompt", "split", "contrast", "chosen", "rejected")


def main(job: Job) -> None:
    objectives, told = job.params["objectives"], job.params["answers"]
    data = pd.read_parquet(job.inputs["data"] / DATA)
    answers = sample(job, data, objectives, told["samples"])
    oracles = load_oracles(objectives, job.params["oracles"], job.inputs)
    texts = answers["prompt"].tolist(), answers["response"].tolist()
    raw = score_in_shards(oracles, *texts, job.checkpoints / "scores", "the base's answers")
    answers[[f"raw_{name}" for name in objectives]] = raw
    answers.to_parquet(job.out / "answers.parquet")

    answers = answers.sort_values(["prompt_id", "sample"], kind="stable")
    ids = answers["prompt_id"].unique()
    shape = len(ids), told["samples"], len(objectives)
    rewards = answers[[f"raw_{name}" for name in objectives]].to_numpy().reshape(shape)
    said = answers["response"].to_numpy().reshape(shape[:2])
    split = data.groupby("prompt_id")["split"].first().loc[ids].to_numpy()
    prompts = data.groupby("prompt_id")["prompt"].first().loc[ids].to_numpy()
    contrast = contrasts(rewards)
    least = float(np.quantile(contrast[split == "train"], 1 - told["share"]))
    kept = contrast >= least
    rows = [
        {"prompt_id": int(ids[p]), "prompt": prompts[p], "split": split[p], "contrast": contrast[p]}
        | {"chosen": said[p, one], "rejected": said[p, other]}
        for p, found in enumerate(pairs(rewards, told["pairs"]))
        if kept[p]
        for one, other in found
        if said[p, one] and said[p, other] and said[p, one] != said[p, other]
    ]
    frame = pd.DataFrame(rows, columns=[*COLUMNS])
    by_split = frame.groupby("split")["prompt_id"]
    left = by_split.nunique()
    train, test = (int(left.get(name, 0)) for name in ("train", "test"))
    if train == 0 or test <= len(objectives):
        raise JobError(
            f"answers: on {train} train and {test} test prompts the base's answers differ and have a "
            f"contrast of {least:.2f} or more, and CRD needs {len(objectives) + 1} test prompts: raise "
            "answers.share or answers.samples, or take more prompts"
        )
    frame.to_parquet(job.out / DATA)
    job.notes = {
        "least_contrast": least,
        "rows": by_split.size().to_dict(),
        "prompts": left.to_dict(),
        "of_prompts": pd.Series(split).value_counts().to_dict(),
    }
    log.info("%s", job.notes)


def sample(job: Job, data: pd.DataFrame, objectives: list[str], samples: int) -> pd.DataFrame:
    """The base's answers to every prompt under equal weights, which it was never taught to read."""
    settings = GenerationStage.model_validate(job.params["generation"])
    tokenizer = load_tokenizer(job.inputs["base"])
    base = load({"base": job.inputs["base"]}, objectives, settings)
    rows = distinct_prompts(
        data, objectives, tokenizer, settings.max_prompt_tokens, settings.decimals
    )
    even = uniform(len(objectives))
    bar = Progress(len(rows) * samples, job.name, "answers")
    found = sample_responses(
        base,
        tokenizer,
        rows,
        objectives,
        {NUMBER: even},
        Sampling.of(settings, tokenizer, base.at(even), job.operation.cache_gib),
        0,
        job.checkpoints,
        bar.update,
        range(samples),
    )
    bar.close()
    return found.drop(columns="ids")


if __name__ == "__main__":
    run(main, __doc__)
