"""Have the base respond twice to each train prompt, for data that has prompts alone.

In:  base, data; spec.params: objectives, answers (what it is told of prompts and sampling).
Out: data.parquet as `prepare_data` leaves it, a row per prompt, with the base's responses as chosen and
     rejected in the train split; prompts that it answers with nothing are dropped, as the manifest's notes
     say.
"""

import pandas as pd

from moa.datasets.splits import DATA, read_split
from moa.models.answers import RESPONSES, answers
from moa.models.policies import load_policy, load_tokenizer
from moa.models.prompts import distinct_prompts
from moa.models.sampling import Sampling
from moa.models.settings import AnswerStage
from moa.runtime.errors import JobError
from moa.runtime.job import log, run
from moa.runtime.progress import Progress
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    settings = AnswerStage.model_validate(job.params["answers"])
    tokenizer = load_tokenizer(job.inputs["base"])
    model = load_policy(job.inputs["base"], dtype=settings.dtype)
    train = read_split(job.inputs["data"], "train").drop_duplicates("prompt_id")
    test = read_split(job.inputs["data"], "test").drop_duplicates("prompt_id")
    rows = distinct_prompts(
        train,
        job.params["objectives"],
        tokenizer,
        settings.max_prompt_tokens,
        settings.decimals,
    )
    bar = Progress(len(RESPONSES) * len(rows), job.name, "responses")
    sampling = Sampling.of(settings, tokenizer, model, job.operation.cache_gib)
    found = answers(model, tokenizer, rows, sampling, job.checkpoints, bar.update)
    bar.close()
    answered = found.dropna(subset=["chosen"])
    if answered.empty:
        raise JobError(
            f"the base answers none of {len(found)} prompts with more than nothing: give a base that "
            "responds to `Human: .. Assistant:`, or responses in the file (chosen, rejected)"
        )
    train = train.drop(columns=list(RESPONSES)).merge(answered, on="prompt_id")
    pd.concat([train, test], ignore_index=True).to_parquet(job.out / DATA)
    job.notes = {
        "dropped": {"the base answers with nothing": len(found) - len(answered)},
        "rows": {"train": len(train), "test": len(test)},
    }
    log.info("%s", job.notes)


if __name__ == "__main__":
    run(main, __doc__)
