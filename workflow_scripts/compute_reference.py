"""How probable a block of a policy's responses is under the SFT policy, for the KL divergence from it.

In:  base, sft; generate: the block's responses; spec.params: objectives, vectors (all of the run's),
     generation, decodability_prompts.
Out: reference.npy (P, B, 2): log p_SFT(y_i | G(x_p, w_i)) for the first prompts and B vectors of the
     block, and the tokens of y_i.
"""

import numpy as np

from moa.evaluation.likelihoods import first_answers, reference_logps
from moa.models.conditioning.weights_in_prompt import load
from moa.models.policies import load_tokenizer
from moa.models.settings import GenerationStage
from moa.runtime.job import log, run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    objectives = job.params["objectives"]
    settings = GenerationStage.model_validate(job.params["generation"])
    tokenizer = load_tokenizer(job.inputs["base"])
    sft = load({role: job.inputs[role] for role in ("base", "sft")}, objectives, settings)
    prompts, numbers, answers = first_answers(
        job.inputs["generate"], job.params["decodability_prompts"], tokenizer, objectives, settings
    )
    asked = [job.params["vectors"][number] for number in numbers]
    logps = reference_logps(sft, tokenizer, prompts, asked, answers, settings.batch_size)
    tokens = np.array([[len(ids) for ids in row] for row in answers], dtype=np.float64)
    np.save(job.out / "reference.npy", np.stack([logps, tokens], axis=2))
    log.info("%d prompts x %d vectors", *logps.shape)


if __name__ == "__main__":
    run(main, __doc__)
