"""Supervised fine-tuning on the response under G(x, w), with TRL's SFTTrainer.

w is drawn at random, so the policy learns the format without learning to use w.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer

from moa.models.prompts import truncate_prompt
from moa.models.readable import require_readable
from moa.oracles.scale import RewardScale
from moa.preferences import build_prompt, sample_weights
from moa.training.batches import SharedBatches
from moa.training.loop import TrainingRun, argument_values, train
from moa.training.settings import OptimizerSettings, SFTStage


class ResponseTrainer(SharedBatches, SFTTrainer):
    """SFTTrainer whose steps are the same for any number of processes."""


def tokenize_example(
    prompt: str, response: str, tokenizer: PreTrainedTokenizerBase, max_response_tokens: int
) -> dict[str, list[int]]:
    """`input_ids` and `labels` of prompt + " " + response + EOS; the loss falls on the response only.

    The text is tokenised whole, as a reader would; where the seam merges with the prompt, the
    merged token counts as response. A cut response gets no EOS, so stopping early is not learned.
    """
    prompt_ids = tokenizer(prompt)["input_ids"] if prompt else []
    ids = tokenizer(f"{prompt} {response}" if prompt else response)["input_ids"]
    start = next(
        (i for i, (a, b) in enumerate(zip(prompt_ids, ids, strict=False)) if a != b),
        min(len(prompt_ids), len(ids)),
    )
    room = start + max_response_tokens
    ids = [*ids, tokenizer.eos_token_id] if len(ids) < room else ids[:room]
    return {"input_ids": ids, "labels": [-100] * start + ids[start:]}


def conditioned_examples(
    data: pd.DataFrame,
    objectives: Sequence[str],
    settings: SFTStage,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
) -> list[dict[str, list[int]]]:
    """SFT examples of a task: each row's response under a w drawn from Dirichlet(alpha).

    data: rows with `prompt`, `prompt_id`, `chosen`, `rejected`; with `response: routed` also
    `rewards`, as `candidate_rewards` gives them.
    `routed` draws the paper's routing variable, objective k with probability w_k, and takes the
    candidate that oracle k scores best: the policy then starts with some dependence on w.
    Raises: JobError as `require_readable`.
    """
    examples = []
    require_readable(data["prompt"].tolist(), objectives, tokenizer, settings.decimals)
    for row in data.to_dict("records"):
        rng = np.random.default_rng([seed, row["prompt_id"], _text_id(row["chosen"])])
        x = truncate_prompt(
            row["prompt"], objectives, tokenizer, settings.max_prompt_tokens, settings.decimals
        )
        for _ in range(settings.draws):
            w = sample_weights(1, settings.alpha, len(objectives), rng, settings.decimals)[0]
            response = row["chosen"]
            if settings.response == "routed":
                k = int(rng.choice(len(objectives), p=w / w.sum()))
                candidates = [y for y in (row["chosen"], row["rejected"]) if y]
                response = candidates[int(np.argmax([scores[k] for scores in row["rewards"]]))]
            prompt = build_prompt(x, objectives, list(w), settings.decimals)
            examples.append(tokenize_example(prompt, response, tokenizer, settings.max_new_tokens))
    return examples


def candidate_rewards(folder: Path, scale: RewardScale) -> pd.Series:
    """Per data row, a list over its candidates of K normalised rewards.

    folder: the entry of the offline rewards.
    """
    offline = pd.read_parquet(folder / "offline_rewards.parquet").sort_values("candidate")
    raw = offline[scale.raw_columns].to_numpy()
    offline["normalised"] = list(np.round(scale.normalise(raw), 12).tolist())
    return offline.groupby("row")["normalised"].agg(list)


def train_sft(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    examples: list[dict[str, list[int]]],
    settings: OptimizerSettings,
    dtype: str,
    run: TrainingRun,
) -> Path:
    """Train `model` (with an adapter, or all its weights) in place on tokenised examples.

    dtype: of the weights that stay frozen. Returns: the path of `metrics.jsonl`.
    """
    trainer = ResponseTrainer(
        model=model,
        args=SFTConfig(
            **argument_values(settings, dtype, run),
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},  # tokenised above, exactly as sampled
        ),
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
    )
    return train(trainer, run, settings.logging_steps)


def _text_id(text: str) -> int:
    """Distinguishes the rows of one prompt; stable between processes, unlike hash()."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
