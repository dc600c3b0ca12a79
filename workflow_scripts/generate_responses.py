"""Sample one response per evaluation vector and test prompt from a policy.

In:  base, data, sft, policy (absent: the SFT policy itself is evaluated); spec.params: run,
     method, objectives, vectors, evaluation.
Out: generations.parquet, one row per vector and prompt; likelihoods.npy (P, M, M): log p(y_i |
     x_p, w_j) for the first prompts, from which decodability is computed.

Streams are keyed by (seed, vector, prompt), so all methods answer with the same random numbers.
"""

from typing import Any

import numpy as np
import pandas as pd
import torch

from moa.generation import clean_response, generate, sample_streams
from moa.job import log, run
from moa.logprobs import tree_logprobs
from moa.policies import common_prefix, load_policy, load_tokenizer, truncate_prompt
from moa.preferences import build_prompt
from moa.progress import Progress
from moa.store import Job

EVALUATION = 3  # what a random stream is for; 1 and 2 belong to training


def main(job: Job) -> None:
    p, settings = job.params, job.params["evaluation"]
    tokenizer = load_tokenizer(job.inputs["base"])
    adapters = [job.inputs[role] for role in ("sft", "policy") if role in job.inputs]
    model = load_policy(job.inputs["base"], adapters, settings["dtype"])
    data = pd.read_parquet(job.inputs["data"] / "data.parquet").query("split == 'test'")
    prompts = data.drop_duplicates("prompt_id").sort_values("prompt_id")
    cut = [
        truncate_prompt(x, p["objectives"], tokenizer, settings["max_prompt_tokens"])
        for x in prompts["prompt"]
    ]

    frames, sampled = [], []
    bar = Progress(len(p["vectors"]) * len(cut), job.name, "responses")
    for index, w in enumerate(p["vectors"]):
        texts = [build_prompt(x, p["objectives"], w, settings["decimals"]) for x in cut]
        ids = [torch.tensor(row) for row in tokenizer(texts)["input_ids"]]
        responses = []
        for start in range(0, len(ids), settings["batch_size"]):
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
        sampled.append(responses)
        frames.append(
            pd.DataFrame(
                {
                    "run": p["run"],
                    "method": p["method"],
                    "seed": job.seed,
                    "vector": index,
                    "prompt_id": prompts["prompt_id"].to_numpy(),
                    "prompt": prompts["prompt"].to_numpy(),
                    "response": [r.text for r in responses],
                    "tokens": [len(r.ids) for r in responses],
                    "finished": [r.finished for r in responses],
                    **{f"w_{k}": v for k, v in zip(p["objectives"], w, strict=True)},
                }
            )
        )
    bar.close()
    pd.concat(frames, ignore_index=True).to_parquet(job.out / "generations.parquet")
    n = min(settings["decodability_prompts"], len(cut))
    answers = [[row[i].ids for row in sampled] for i in range(n)]
    np.save(
        job.out / "likelihoods.npy",
        cross_likelihoods(model, tokenizer, cut[:n], answers, p, settings["decimals"]),
    )
    log.info("%d vectors x %d prompts", len(p["vectors"]), len(cut))


def cross_likelihoods(
    model: Any,
    tokenizer: Any,
    prompts: list[str],
    answers: list[list[torch.Tensor]],
    params: dict[str, Any],
    decimals: int,
) -> np.ndarray:
    """(P, M, M): log p of the response sampled under vector i given vector j, one tree per prompt."""
    table = []
    with torch.no_grad():
        for x, responses in zip(prompts, answers, strict=True):
            texts = [build_prompt(x, params["objectives"], w, decimals) for w in params["vectors"]]
            ids = [torch.tensor(row) for row in tokenizer(texts)["input_ids"]]
            shared = common_prefix(ids)
            logps = tree_logprobs(
                model, [ids[0][:shared]], [[i[shared:] for i in ids]], [responses]
            )
            table.append(logps[0].T.cpu().numpy())
    return np.stack(table)


if __name__ == "__main__":
    run(main, __doc__)
