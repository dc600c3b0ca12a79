"""How probable a policy's responses are: under every preference vector, which decodability is made of, and
under the SFT policy, which the KL divergence from it is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from moa.logprobs import completion_logprobs, tree_logprobs
from moa.models.conditioning import Conditioned
from moa.models.prompts import encode, split_prefix, truncate_prompt
from moa.models.settings import PromptSettings
from moa.runtime.errors import JobError
from moa.runtime.progress import Progress


def first_answers(
    generated: Path,
    count: int,
    tokenizer: Any,
    objectives: Sequence[str],
    settings: PromptSettings,
) -> tuple[list[str], list[int], list[list[torch.Tensor]]]:
    """The first `count` prompts of a block, the numbers of its B vectors, and each prompt's B responses.

    generated: a `generate` entry. Prompts are x as the policy was asked.
    """
    columns = ["vector", "prompt", "ids"]
    responses = pd.read_parquet(generated / "generations.parquet", columns=columns)
    numbers: list[int] = sorted(responses["vector"].unique().tolist())
    first = [responses[responses["vector"] == number].head(count) for number in numbers]
    limits = settings.max_prompt_tokens, settings.decimals
    prompts = [truncate_prompt(x, objectives, tokenizer, *limits) for x in first[0]["prompt"]]
    by_prompt = zip(*(rows["ids"] for rows in first), strict=True)
    return prompts, numbers, [[torch.tensor(ids) for ids in row] for row in by_prompt]


def reference_logps(
    sft: Conditioned,
    tokenizer: Any,
    prompts: Sequence[str],
    asked: Sequence[Sequence[float]],
    answers: Sequence[Sequence[torch.Tensor]],
    batch_size: int,
) -> np.ndarray:
    """(P, B): log p_SFT of the response sampled under vector i, given that vector.

    answers: for each of P prompts, the ids of B responses. batch_size: sequences per forward pass.
    Raises: JobError if one is not finite.
    """
    pairs = [
        (sft.prompt(x, w), ids)
        for x, row in zip(prompts, answers, strict=True)
        for w, ids in zip(asked, row, strict=True)
    ]
    found: list[torch.Tensor] = []
    for start in range(0, len(pairs), batch_size):
        texts, responses = zip(*pairs[start : start + batch_size], strict=True)
        with torch.no_grad():
            logps = completion_logprobs(sft.at(asked[0]), encode(texts, tokenizer), responses)
        found.append(logps.cpu())
    table = torch.cat(found).double().numpy().reshape(len(prompts), len(asked))
    if not np.isfinite(table).all():
        p, i = np.argwhere(~np.isfinite(table))[0]
        raise JobError(
            f"the SFT policy gives the response to {prompts[p][:200]!r} under {asked[i]} the "
            f"log-probability {table[p, i]}: it is not finite, or overflows its dtype. Train it again "
            "with a lower learning rate, or use float32"
        )
    return table


def cross_likelihoods(
    policy: Conditioned,
    tokenizer: Any,
    prompts: list[str],
    vectors: list[list[float]],
    asked: list[list[float]],
    answers: list[list[torch.Tensor]],
    batch_size: int,
) -> np.ndarray:
    """(P, B, M): log p of the response sampled under vector i of `asked` given vector j of `vectors`.

    answers: for each of P prompts, the ids of B responses. batch_size: sequences per forward pass. A tree
    holds all vectors where one model serves them, else one, and as many responses as fit.
    Raises: JobError if one is not finite.
    """
    every = list(range(len(vectors)))
    table = np.empty((len(prompts), len(asked), len(vectors)))
    bar = Progress(table.size, "likelihoods", "pairs")
    for group in [every] if policy.one_model else [[j] for j in every]:
        model = policy.at(vectors[group[0]])
        together = max(1, batch_size // len(group))
        for p, (x, responses) in enumerate(zip(prompts, answers, strict=True)):
            texts = [policy.prompt(x, vectors[j]) for j in group]
            prefix, conditions = split_prefix(encode(texts, tokenizer))
            for start in range(0, len(responses), together):
                chosen = slice(start, start + together)
                with torch.no_grad():
                    logps = tree_logprobs(model, [prefix], [conditions], [responses[chosen]])
                table[p, chosen][:, group] = logps[0].T.cpu().numpy()
            bar.update(len(group) * len(responses))
    bar.close()
    if not np.isfinite(table).all():
        p, i, j = np.argwhere(~np.isfinite(table))[0]
        raise JobError(
            f"the response to {prompts[p][:200]!r} under {asked[i]} has the log-probability "
            f"{table[p, i, j]} under {vectors[j]}: the policy is not finite, or overflows its "
            "dtype. Train it again with a lower learning rate, or use float32"
        )
    return table
