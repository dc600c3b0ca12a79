"""Single-reward RLHF experts with TRL's RLOO: the parts of Rewarded Soups.

The paper follows code written for PPO in a TRL that no longer exists; RLOO is REINFORCE with a
leave-one-out baseline and the same KL penalty (Ahmadian et al. 2024), without a value model.
All experts of a seed start from its SFT policy with one LoRA initialisation, so that their weight
changes can be added. Prompts carry equal weights, which say nothing about what is wanted.
Responses are sampled as everywhere else, from streams keyed by (seed, step, prompt), and learned as
everywhere else: the tokens whose text was scored, and EOS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from datasets import Dataset
from peft import PeftModel
from torch.utils.data import Sampler
from transformers import PreTrainedTokenizerBase
from trl import RLOOConfig, RLOOTrainer

from moa.models.sampling import Sampling, clean_response, generate, sample_streams
from moa.models.streams import Stream
from moa.oracles.base import Oracle, score_all
from moa.oracles.scale import RewardScale
from moa.preferences import build_prompt, uniform
from moa.training.loop import TrainingRun, argument_values, train
from moa.training.settings import ExpertStage


class EpochOrder(Sampler[int]):
    """TRL's order of the prompts, but drawn anew from (seed, epoch).

    TRL's own sampler draws all epochs from one generator, which a resumed run would begin again.
    """

    def __init__(self, sampler: Any, seed: int, epoch: Callable[[], int]) -> None:
        self.sampler, self.seed, self.epoch = sampler, seed, epoch

    def __iter__(self) -> Iterator[int]:
        self.sampler.generator.manual_seed(self.seed + self.epoch())
        yield from self.sampler

    def __len__(self) -> int:
        return len(self.sampler)


class ExpertTrainer(RLOOTrainer):
    """RLOOTrainer that samples by `moa.models.sampling`, and logs what is the same in equal runs.

    A row of its data has `prompt`, `prompt_id` and what the reward function takes.
    """

    def __init__(
        self, objective: str, settings: ExpertStage, run: TrainingRun, **arguments: Any
    ) -> None:
        self.objective, self.settings, self.run = objective, settings, run
        super().__init__(**arguments)

    def _get_train_sampler(self, dataset: Dataset | None = None) -> EpochOrder:
        sampler = super()._get_train_sampler(dataset)
        return EpochOrder(sampler, self.run.seed, lambda: int(self.state.epoch or 0))

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._sampled_ids = [row["prompt_id"] for row in inputs]
        return super()._generate_and_score_completions(inputs)

    def _generate_single_turn(self, prompt_ids: Any, images: Any, fields: Any) -> list[list[int]]:
        """One response per row, cut where what is scored ends; TRL repeats each prompt `generations` times
        in a row, and needs a token of each, which is a pad token where nothing is left."""
        s, n, step = self.settings, self.settings.generations, self.state.global_step
        keys = [(self.run.seed, Stream.EXPERT_RESPONSES, step, i) for i in self._sampled_ids[::n]]
        sampled = generate(
            self.accelerator.unwrap_model(self.model),
            [torch.tensor(ids) for ids in prompt_ids[::n]],
            sample_streams(keys, n, s.max_new_tokens),
            Sampling.of(s, self.processing_class, self.model, self.run.operation.cache_gib),
        )
        tokenizer = self.processing_class
        cleaned = [clean_response(ids, tokenizer) for responses in sampled for ids in responses]
        for name, values in {
            "tokens": [len(response.ids) for response in cleaned],
            "finished": [response.finished for response in cleaned],
        }.items():
            self._metrics["train"][name].append(float(np.mean(gather_object(values))))
        return [response.ids.tolist() or [tokenizer.pad_token_id] for response in cleaned]

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Any,
        attention_mask: Any,
        logits_to_keep: int,
        *rest: Any,
        **more: Any,
    ) -> Any:
        """TRL's, but 0 for the pad token that stands for an empty response."""
        logps, *others = super()._get_per_token_logps_and_entropies(
            model, input_ids, attention_mask, logits_to_keep, *rest, **more
        )
        alone = attention_mask[:, -logits_to_keep:].sum(dim=1) == 1
        padded = input_ids[:, -logits_to_keep] == self.processing_class.pad_token_id
        return torch.where((alone & padded)[:, None], torch.zeros_like(logps), logps), *others

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep reward, KL and length; TRL's own lines hold step times, which no key explains."""
        figures, raw = self._metrics["train"], f"raw_{self.objective}"
        kept = {
            raw: figures.pop(raw, []),
            "kl": figures.pop("kl", []),
            "tokens": figures.pop("tokens", []),
            "finished": figures.pop("finished", []),
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
    scale: RewardScale,
    settings: ExpertStage,
    run: TrainingRun,
) -> Path:
    """Train the adapter of `model` for one oracle's normalised reward; the rest is the reference.

    rows: as `distinct_prompts` gives them. objectives: all of the task's, which stand in the prompt.
    scale: the one that holds the oracle's objective. Returns: the path of metrics.jsonl.
    """
    own, raw_name = scale.of(oracle.objective), f"raw_{oracle.objective}"
    even = uniform(len(objectives))
    dataset = Dataset.from_list(
        [
            {
                "prompt": build_prompt(row["x"], objectives, even, settings.decimals),
                "raw_prompt": row["prompt"],
                "prompt_id": row["prompt_id"],
            }
            for row in rows
        ]
    )

    def reward(
        completion_ids: list[list[int]], raw_prompt: list[str], log_metric: Any, **_: Any
    ) -> list[float]:
        texts = [clean_response(torch.tensor(ids), tokenizer).text for ids in completion_ids]
        raw = score_all([oracle], list(raw_prompt), texts)[:, 0]
        log_metric(raw_name, float(np.mean(gather_object(raw.tolist()))))
        return own.normalise(raw).tolist()

    values = argument_values(settings, settings.dtype, run)
    values["per_device_train_batch_size"] *= settings.generations  # TRL counts responses
    trainer = ExpertTrainer(
        oracle.objective,
        settings,
        run,
        model=model,
        reward_funcs=reward,
        args=RLOOConfig(
            **values,
            beta=settings.kl,
            num_generations=settings.generations,
            max_completion_length=settings.max_new_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
    )
    return train(trainer, run, settings.logging_steps)
