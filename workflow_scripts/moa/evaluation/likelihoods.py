"""How probable a policy's responses are under every preference vector: what decodability is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from moa.logprobs import tree_logprobs
from moa.models.conditioning import Conditioned
from moa.models.prompts import encode, split_prefix
from moa.runtime.errors import JobError
from moa.runtime.progress import Progress


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
