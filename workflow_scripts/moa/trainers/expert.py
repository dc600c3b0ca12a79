"""Single-reward RLHF experts with TRL's RLOO: the parts of Rewarded Soups.

The paper follows code written for PPO in a TRL that no longer exists; RLOO is REINFORCE with a
leave-one-out baseline and the same KL penalty (Ahmadian et al. 2024), without a value model.
All experts of a seed start from its SFT policy with one LoRA initialisation, so that their weight
changes can be added. Prompts carry equal weights, which say nothing about what is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from trl import RLOOConfig, RLOOTrainer

from moa.generation import clean_response
from moa.oracles.base import Oracle, score_all
from moa.preferences import build_prompt, uniform
from moa.trainers.common import argument_values, train


class ExpertTrainer(RLOOTrainer):
    """RLOOTrainer with log lines that are the same in equal runs and named as in other methods."""

    def __init__(self, objective: str, **arguments: Any) -> None:
        self.objective = objective
        super().__init__(**arguments)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep reward, KL and length; TRL's own lines hold step times, which no key explains."""
        figures = self._metrics["train"]
        kept = {
            f"reward_{self.objective}": figures.pop("reward_raw", []),
            "kl": figures.pop("kl", []),
            "tokens": figures.pop("completions/mean_length", []),
            "finished": [1 - share for share in figures.pop("completions/clipped_ratio", [])],
        }
        figures.clear()
        logs.update({name: sum(v) / len(v) for name, v in kept.items() if v})
        super().log(logs, start_time)


def train_expert(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    objectives: Sequence[str],
    oracle: Oracle,
    mean: float,
    std: float,
    settings: dict[str, Any],
    operation: dict[str, Any],
    *,
    checkpoints: Path,
    seed: int,
    title: str,
) -> Path:
    """Train the adapter of `model` for one oracle's normalised reward; the rest is the reference.

    rows: as `moa.trainers.online.training_rows` gives them. mean, std: of the oracle's offline
    rewards. settings: the config's `experts` section, resolved. Returns: the path of metrics.jsonl.
    """
    even = uniform(len(objectives))
    dataset = Dataset.from_list(
        [
            {
                "prompt": build_prompt(row["x"], objectives, even, settings["decimals"]),
                "raw_prompt": row["prompt"],
            }
            for row in rows
        ]
    )

    def reward(
        completion_ids: list[list[int]], raw_prompt: list[str], log_metric: Any, **_: Any
    ) -> list[float]:
        texts = [clean_response(torch.tensor(ids), tokenizer).text for ids in completion_ids]
        raw = score_all([oracle], list(raw_prompt), texts)[:, 0]
        log_metric("reward_raw", float(raw.mean()))
        return ((raw - mean) / std).tolist()

    values = argument_values(settings, operation, checkpoints, seed)
    values["per_device_train_batch_size"] *= settings["generations"]  # TRL counts responses
    trainer = ExpertTrainer(
        oracle.objective,
        model=model,
        reward_funcs=reward,
        args=RLOOConfig(
            **values,
            beta=settings["kl"],
            num_generations=settings["generations"],
            max_completion_length=settings["max_new_tokens"],
            temperature=settings["temperature"],
            top_p=settings["top_p"],
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
    )
    return train(trainer, checkpoints, title, operation["checkpoint_minutes"])
