"""How probable a block of a policy's responses is under every evaluation vector, for decodability.

In:  base, sft, and what the conditioning needs (policy, or expert/<objective>); generate: the block's
     responses; spec.params: conditioning (a file of moa/models/conditioning/), objectives, vectors (all of
     the run's), generation, decodability_prompts.
Out: likelihoods.npy (P, B, M): log p(y_i | x_p, w_j) for the first prompts, B of M vectors in the block.
"""

import numpy as np

from moa.evaluation.likelihoods import cross_likelihoods, first_answers
from moa.models.conditioning import Load, load_conditioned
from moa.models.policies import load_tokenizer
from moa.models.settings import GenerationStage
from moa.runtime.job import log, run
from moa.runtime.publishing import Job


def main(job: Job, load: Load = load_conditioned) -> None:
    """load: what loads the policy, or has it already."""
    objectives = job.params["objectives"]
    settings = GenerationStage.model_validate(job.params["generation"])
    tokenizer = load_tokenizer(job.inputs["base"])
    policy = load(job.inputs, job.params)
    vectors = job.params["vectors"]
    prompts, numbers, answers = first_answers(
        job.inputs["generate"], job.params["decodability_prompts"], tokenizer, objectives, settings
    )
    asked = [vectors[number] for number in numbers]
    table = cross_likelihoods(
        policy, tokenizer, prompts, vectors, asked, answers, settings.batch_size
    )
    np.save(job.out / "likelihoods.npy", table)
    log.info("%d prompts x %d x %d vectors", *table.shape)


if __name__ == "__main__":
    run(main, __doc__)
