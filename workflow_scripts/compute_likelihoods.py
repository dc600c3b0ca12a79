"""How probable a policy's responses are under every evaluation vector, for decodability.

In:  base, sft, and what the conditioning needs (policy, or expert/<objective>); generate/<vector>:
     all blocks of a run's responses; spec.params: conditioning (a file of moa/models/conditioning/),
     objectives, vectors, generation, decodability_prompts.
Out: likelihoods.npy (P, M, M): log p(y_i | x_p, w_j) for the first prompts.
"""

import numpy as np
import pandas as pd
import torch

from moa.evaluation.likelihoods import cross_likelihoods
from moa.models.conditioning import load_conditioned
from moa.models.policies import load_tokenizer
from moa.models.prompts import truncate_prompt
from moa.models.settings import GenerationStage
from moa.runtime.job import log, run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    objectives = job.params["objectives"]
    settings = GenerationStage.model_validate(job.params["generation"])
    tokenizer = load_tokenizer(job.inputs["base"])
    policy = load_conditioned(job.inputs, job.params)
    responses = pd.concat(
        pd.read_parquet(folder / "generations.parquet", columns=["vector", "prompt", "ids"])
        for role, folder in job.inputs.items()
        if role.startswith("generate/")
    )
    n_prompts = job.params["decodability_prompts"]
    first = [rows.head(n_prompts) for _, rows in responses.groupby("vector")]
    prompts = [
        truncate_prompt(x, objectives, tokenizer, settings.max_prompt_tokens, settings.decimals)
        for x in first[0]["prompt"]
    ]
    by_prompt = zip(*(rows["ids"] for rows in first), strict=True)
    answers = [[torch.tensor(ids) for ids in row] for row in by_prompt]
    table = cross_likelihoods(
        policy, tokenizer, prompts, job.params["vectors"], answers, settings.batch_size
    )
    np.save(job.out / "likelihoods.npy", table)
    log.info("%d prompts x %d x %d vectors", *table.shape)


if __name__ == "__main__":
    run(main, __doc__)
