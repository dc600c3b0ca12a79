"""Sample one response per test prompt from a policy, under each of some evaluation vectors.

In:  base, data, sft, and what the conditioning needs (policy, or expert/<objective>);
     spec.params: conditioning (a file of moa/models/conditioning/), objectives, evaluation, vectors (a
     block of the run's), first_vector (the number of the block's first one among the run's).
Out: generations.parquet, one row per vector and prompt; ids are the response's tokens.

Streams are keyed by (seed, vector, prompt), so all methods answer with the same random numbers,
and how the vectors are cut into blocks changes no response.
"""

from importlib import import_module

import pandas as pd
import torch

from moa.models.conditioning import module_name
from moa.models.policies import load_tokenizer, truncate_prompt
from moa.models.sampling import clean_response, generate, sample_streams
from moa.runtime.job import log, run
from moa.runtime.progress import Progress
from moa.runtime.publishing import Job
from moa.runtime.shards import in_shards

EVALUATION = 3  # what a random stream is for; 1 and 2 belong to training


def main(job: Job) -> None:
    p, settings = job.params, job.params["evaluation"]
    tokenizer = load_tokenizer(job.inputs["base"])
    policy = import_module(module_name(p["conditioning"])).load(job.inputs, p)
    data = pd.read_parquet(job.inputs["data"] / "data.parquet").query("split == 'test'")
    prompts = data.drop_duplicates("prompt_id").sort_values("prompt_id")
    cut = [
        truncate_prompt(x, p["objectives"], tokenizer, settings["max_prompt_tokens"])
        for x in prompts["prompt"]
    ]

    n_prompts = len(cut)
    bar = Progress(len(p["vectors"]) * n_prompts, job.name, "responses")

    def answers(at: int) -> pd.DataFrame:
        """The responses under one vector of the block."""
        w, index = p["vectors"][at], p["first_vector"] + at
        model = policy.at(w)
        ids = [
            torch.tensor(row) for row in tokenizer([policy.prompt(x, w) for x in cut])["input_ids"]
        ]
        responses = []
        for start in range(0, n_prompts, settings["batch_size"]):
            batch = slice(start, start + settings["batch_size"])
            keys = [(job.seed, EVALUATION, index, int(i)) for i in prompts["prompt_id"].iloc[batch]]
            drawn = generate(
                model,
                ids[batch],
                sample_streams(keys, 1, settings["max_new_tokens"]),
                max_new_tokens=settings["max_new_tokens"],
                temperature=settings["temperature"],
                top_p=settings["top_p"],
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                batch_size=settings["batch_size"],
            )
            responses += [clean_response(one[0], tokenizer) for one in drawn]
            bar.update(len(keys))
        return pd.DataFrame(
            {
                "seed": job.seed,
                "vector": index,
                "prompt_id": prompts["prompt_id"].to_numpy(),
                "prompt": prompts["prompt"].to_numpy(),
                "response": [r.text for r in responses],
                "tokens": [len(r.ids) for r in responses],
                "finished": [r.finished for r in responses],
                **{f"w_{k}": v for k, v in zip(p["objectives"], w, strict=True)},
                "ids": [r.ids.numpy() for r in responses],
            }
        )

    frame = in_shards(
        job.checkpoints, "vector", len(p["vectors"]), 1, lambda one: answers(one.start)
    )
    bar.close()
    frame.to_parquet(job.out / "generations.parquet")
    log.info("%d vectors x %d prompts", len(p["vectors"]), n_prompts)


if __name__ == "__main__":
    run(main, __doc__)
