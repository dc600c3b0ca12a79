"""Two responses of the base itself to each prompt, for data that has prompts alone.

They are asked for without weights, `Human: {x} Assistant:`, since a base has never read any. SFT then
teaches it to answer so under every w, as it does with the responses of a dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from transformers import PreTrainedTokenizerBase

from moa.datasets.shards import in_shards
from moa.models.prompts import encode
from moa.models.sampling import Sampling, clean_response, generate, sample_streams

SEED = 0  # the base is one for all seeds of a config, and so are its answers
ANSWERS = 0  # in the place of a `Stream`, none of which has it
RESPONSES = ("chosen", "rejected")  # the columns that they go to; neither is the better one
PROMPTS = 256  # that a kill can lose


def answers(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    sampling: Sampling,
    folder: Path,
    progress: Callable[[int], None],
) -> pd.DataFrame:
    """A row per prompt: prompt_id, chosen, rejected; None for a response that is empty.

    rows: as `distinct_prompts` gives them. folder: where shards are kept. progress: called with how many
    responses more there are.
    """

    def make(part: slice) -> pd.DataFrame:
        asked = rows[part]
        drawn = generate(
            model,
            encode([f"Human: {row['x']} Assistant:" for row in asked], tokenizer),
            sample_streams(
                [(SEED, ANSWERS, row["prompt_id"]) for row in asked],
                len(RESPONSES),
                sampling.max_new_tokens,
            ),
            sampling,
        )
        found = []
        for row, pair in zip(asked, drawn, strict=True):
            texts = [clean_response(ids, tokenizer).text or None for ids in pair]
            # One that is empty is none, and the other is then the only response.
            texts.sort(key=lambda text: text is None)
            found.append(
                {"prompt_id": row["prompt_id"], **dict(zip(RESPONSES, texts, strict=True))}
            )
        progress(len(RESPONSES) * len(asked))
        return pd.DataFrame(found)

    return in_shards(folder, "answers", len(rows), PROMPTS, make)
