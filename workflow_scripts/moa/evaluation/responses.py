"""One response per prompt from a policy under each preference vector: what all metrics are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from transformers import PreTrainedTokenizerBase

from moa.models.conditioning import Conditioned
from moa.models.prompts import encode
from moa.models.sampling import Response, Sampling, clean_response, generate, sample_streams
from moa.models.streams import Stream


def sample_responses(
    policy: Conditioned,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    objectives: Sequence[str],
    w: Sequence[float],
    vector: int,
    sampling: Sampling,
    seed: int,
    progress: Callable[[int], None],
) -> pd.DataFrame:
    """A row per prompt: seed, vector, prompt_id, prompt, response, tokens, finished, w_<o>, ids.

    rows: as `distinct_prompts` gives them. vector: the number of w among all of the run's: streams are
    keyed by (seed, vector, prompt), so all methods answer with the same random numbers, and how the
    vectors are cut into blocks changes no response. progress: called with how many more are sampled.
    """
    model = policy.at(w)
    ids = encode([policy.prompt(row["x"], w) for row in rows], tokenizer)
    responses: list[Response] = []
    for start in range(0, len(rows), sampling.batch_size):
        batch = slice(start, start + sampling.batch_size)
        keys = [(seed, Stream.EVALUATION, vector, row["prompt_id"]) for row in rows[batch]]
        streams = sample_streams(keys, 1, sampling.max_new_tokens)
        drawn = generate(model, ids[batch], streams, sampling)
        responses += [clean_response(one[0], tokenizer) for one in drawn]
        progress(len(keys))
    return pd.DataFrame(
        {
            "seed": seed,
            "vector": vector,
            "prompt_id": [row["prompt_id"] for row in rows],
            "prompt": [row["prompt"] for row in rows],
            "response": [r.text for r in responses],
            "tokens": [len(r.ids) for r in responses],
            "finished": [r.finished for r in responses],
            **{f"w_{o}": weight for o, weight in zip(objectives, w, strict=True)},
            "ids": [r.ids.numpy() for r in responses],
        }
    )
