"""Sample one response per test prompt from a policy, under each of some evaluation vectors, and some more
to the first prompts.

In:  base, data, sft, and what the conditioning needs (policy, or expert/<objective>);
     spec.params: conditioning (a file of moa/models/conditioning/), objectives, generation, vectors (a
     block of the run's), first_vector (the number of the block's first one among the run's), repeats (how
     many more, to how many `prompts`).
Out: generations.parquet, one row per vector and prompt; ids are the response's tokens. repeats.parquet,
     the same of the further responses.
"""

from typing import Any

import pandas as pd

from moa.datasets.splits import read_split
from moa.evaluation.responses import FIRST, sample_responses
from moa.models.conditioning import Load, load_conditioned
from moa.models.policies import load_tokenizer
from moa.models.prompts import distinct_prompts
from moa.models.sampling import Sampling
from moa.models.settings import GenerationStage
from moa.runtime.job import log, run
from moa.runtime.progress import Progress
from moa.runtime.publishing import Job


def main(job: Job, load: Load = load_conditioned) -> None:
    """load: what loads the policy, or has it already."""
    objectives, vectors = job.params["objectives"], job.params["vectors"]
    settings = GenerationStage.model_validate(job.params["generation"])
    tokenizer = load_tokenizer(job.inputs["base"])
    policy = load(job.inputs, job.params)
    test = read_split(job.inputs["data"], "test")
    rows = distinct_prompts(
        test, objectives, tokenizer, settings.max_prompt_tokens, settings.decimals
    )
    sampling = Sampling.of(settings, tokenizer, policy.at(vectors[0]), job.operation.cache_gib)
    more, again = range(1, 1 + job.params["repeats"]["samples"]), job.params["repeats"]["prompts"]
    wanted = len(rows) + len(more) * len(rows[:again])
    bar = Progress(len(vectors) * wanted, job.name, "responses")

    numbered = dict(enumerate(vectors, job.params["first_vector"]))

    def sample(rows: list[dict[str, Any]], folder: str, samples: range) -> pd.DataFrame:
        return sample_responses(
            policy,
            tokenizer,
            rows,
            objectives,
            numbered,
            sampling,
            job.seed,
            job.checkpoints / folder,
            bar.update,
            samples,
        )

    sample(rows, "first", FIRST).to_parquet(job.out / "generations.parquet")
    if more:
        sample(rows[:again], "repeats", more).to_parquet(job.out / "repeats.parquet")
    bar.close()
    log.info("%d vectors x %d prompts", len(vectors), len(rows))


if __name__ == "__main__":
    run(main, __doc__)
