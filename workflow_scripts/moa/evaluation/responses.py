"""One response per prompt from a policy under each preference vector: what all metrics are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from transformers import PreTrainedTokenizerBase

from moa.datasets.shards import in_shards
from moa.models.conditioning import Conditioned
from moa.models.prompts import encode
from moa.models.sampling import Sampling, clean_response, generate, sample_streams
from moa.models.streams import Stream

FIRST = range(1)  # one response each
PROMPTS = 64  # that a kill can lose, of a policy that answers all vectors at once


def sample_responses(
    policy: Conditioned,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    objectives: Sequence[str],
    vectors: Mapping[int, Sequence[float]],
    sampling: Sampling,
    seed: int,
    folder: Path,
    progress: Callable[[int], None],
    samples: range = FIRST,
) -> pd.DataFrame:
    """A row per vector, prompt and sample: seed, vector, prompt_id, sample, prompt, response, tokens,
    finished, w_<o>, ids.

    rows: as `distinct_prompts` gives them. vectors: w by its number among all of the run's: streams are
    keyed by (seed, vector, prompt), so all methods answer with the same random numbers, and how the
    vectors are cut into blocks changes no response. folder: where shards are kept. progress: called with
    how many more are sampled. samples: which of a stream's are drawn.
    """
    numbers = list(vectors)

    def answered(some_rows: slice, some: slice) -> pd.DataFrame:
        """By one model: what it answers under some vectors."""
        pairs = [(row, number) for row in rows[some_rows] for number in numbers[some]]
        drawn = generate(
            policy.at(vectors[pairs[0][1]]),
            encode([policy.prompt(row["x"], vectors[n]) for row, n in pairs], tokenizer),
            sample_streams(
                [(seed, Stream.EVALUATION, n, row["prompt_id"]) for row, n in pairs],
                samples.stop,
                sampling.max_new_tokens,
            )[:, samples.start :],
            sampling,
            variants=len(numbers[some]),
        )
        responses = [clean_response(ids, tokenizer) for own in drawn for ids in own]
        progress(len(responses))
        asked = [(row, n, sample) for row, n in pairs for sample in samples]
        return pd.DataFrame(
            {
                "seed": seed,
                "vector": [number for _, number, _ in asked],
                "prompt_id": [row["prompt_id"] for row, _, _ in asked],
                "sample": [sample for _, _, sample in asked],
                "prompt": [row["prompt"] for row, _, _ in asked],
                "response": [r.text for r in responses],
                "tokens": [len(r.ids) for r in responses],
                "finished": [r.finished for r in responses],
                **{
                    f"w_{o}": [vectors[n][k] for _, n, _ in asked] for k, o in enumerate(objectives)
                },
                "ids": [r.ids.numpy() for r in responses],
            }
        )

    every = slice(None)
    if not policy.one_model:  # a model for each vector
        return in_shards(folder, "vector", len(numbers), 1, lambda part: answered(every, part))
    frame = in_shards(folder, "prompts", len(rows), PROMPTS, lambda part: answered(part, every))
    return frame.sort_values("vector", kind="stable", ignore_index=True)
