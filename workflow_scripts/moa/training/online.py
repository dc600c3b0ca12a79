"""Online preference optimisation: the paper's algorithm 1, with a loss of `online_losses`.

One optimizer step is `explore`, then `compute_loss` for each of its micro-batches, read top to bottom: draw
w+ and w-, sample two responses under w+, score them with every oracle, take the reference's
log-probabilities under w+ (and w-); take the policy's, compute the loss. All prompts of a step are sampled
together: a decoder reads all weights for every token, however many rows it has.
Everything random is keyed by (seed, step, prompt), so a batch's content depends neither on how it
is split, over micro-batches and processes, nor on when the run was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

from moa.logprobs import tree_logprobs
from moa.models.prompts import encode, split_prefix
from moa.models.sampling import Response, Sampling, clean_response, generate, sample_streams
from moa.models.streams import Stream
from moa.oracles.base import Oracle, score_all
from moa.oracles.scale import RewardScale
from moa.preferences import build_prompt, sample_weights
from moa.training.batches import SharedBatches
from moa.training.explored import ExploredLog
from moa.training.guards import StepBatches
from moa.training.loop import TrainingRun, argument_values
from moa.training.online_losses import OnlineLoss
from moa.training.settings import OnlineStage
from moa.training.step_figures import StepFigures, step_figures

Rows = Sequence[dict[str, Any]]
EXPLORED = "explored"  # what a micro-batch is to the Trainer: a dict with one entry


@dataclass(frozen=True)
class Explored:
    """What a step found for B prompts, without gradients. w_pos, w_neg: (B, K). raw: (B, 2, K) rewards.

    prefixes, conditions: the prompts under w+ and, with an exploration term, w-: what they share, B 1-D id
    tensors, and the rest of each, B lists of C. responses: B pairs. ref_logps: (B, C, 2).
    """

    rows: Rows
    w_pos: np.ndarray
    w_neg: np.ndarray
    prefixes: Sequence[torch.Tensor]
    conditions: Sequence[list[torch.Tensor]]
    responses: list[list[Response]]
    raw: np.ndarray
    ref_logps: torch.Tensor

    def part(self, which: slice) -> Explored:
        """Some of the prompts."""
        return Explored(
            self.rows[which],
            self.w_pos[which],
            self.w_neg[which],
            self.prefixes[which],
            self.conditions[which],
            self.responses[which],
            self.raw[which],
            self.ref_logps[which],
        )


class OnlineTrainer(SharedBatches, Trainer):
    """transformers' Trainer, whose batch is a list of prompts and whose loss samples its own data.

    rows: as `distinct_prompts` gives them. oracles, scale: of the task's K objectives, in order.
    """

    def __init__(
        self,
        model: PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        rows: Rows,
        oracles: Sequence[Oracle],
        scale: RewardScale,
        loss: OnlineLoss,
        settings: OnlineStage,
        run: TrainingRun,
    ) -> None:
        super().__init__(
            model=model,
            args=TrainingArguments(**argument_values(settings, settings.dtype, run)),
            data_collator=list,
            train_dataset=list(rows),
            processing_class=tokenizer,
        )
        self.model_accepts_loss_kwargs = True  # compute_loss divides by the prompts of the step
        self.tokenizer, self.oracles, self.scale = tokenizer, oracles, scale
        self.loss, self.settings, self.run = loss, settings, run
        self.figures, self.batches = StepFigures(), StepBatches(run.checkpoints)
        self.explored = ExploredLog(run.checkpoints)
        self.add_callback(self.explored)
        # Oracles on GPUs of their own score while the reference is asked; on the same one they take turns.
        apart = run.operation.oracle_placement == "second_gpu"
        self.scorer = ThreadPoolExecutor(1) if apart else None

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], int]:
        """The micro-batches of a step, explored, and its number of prompts over all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        ends = list(accumulate(map(len, batches)))
        n = torch.tensor(ends[-1] if ends else 0, device=device)
        total = int(self.accelerator.reduce(n, reduction="sum"))
        if not ends:
            return [], total
        parts = [slice(a, b) for a, b in pairwise([0, *ends])]
        explored = self.explore([row for batch in batches for row in batch], parts)
        return [{EXPLORED: explored.part(part)} for part in parts], total

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Algorithm 1, lines 3-9, for one micro-batch of B prompts.

        Returns: its share of the loss, a mean over the `num_items_in_batch` prompts of the step, times
        the number of processes, whose gradients are averaged.
        """
        found, step = inputs[EXPLORED], self.state.global_step
        rows, w_pos, w_neg = found.rows, found.w_pos, found.w_neg
        responses, raw, ref_logps = found.responses, found.raw, found.ref_logps
        policy_logps = log_probs(model, found.prefixes, found.conditions, responses)
        self.batches.keep(
            step,
            prompts=[row["prompt"] for row in rows],
            w_pos=w_pos,
            w_neg=w_neg,
            responses=[[response.text for response in pair] for pair in responses],
            raw=raw,
            policy_logps=policy_logps.detach(),
            ref_logps=ref_logps,
        )
        self.batches.stop_unless_finite("log-probabilities", policy_logps + ref_logps)
        rewards = torch.tensor(self.scale.normalise(raw), dtype=torch.float32)
        device = policy_logps.device
        output = self.loss(
            policy_logps,
            ref_logps,
            rewards.to(device),
            torch.tensor(w_pos).to(device),
            self.settings,
        )
        self.batches.stop_unless_finite("loss", output.loss)
        ratios = (policy_logps.detach() - ref_logps).double().cpu().numpy()
        objectives = self.scale.objectives
        self.figures.add(step_figures(objectives, output, raw, responses, w_pos, w_neg, ratios))
        self.explored.add(step, w_pos, raw)
        share = len(rows) * self.accelerator.num_processes / (num_items_in_batch or len(rows))
        return output.loss * share

    def explore(self, rows: Rows, parts: Sequence[slice]) -> Explored:
        """Algorithm 1, lines 3-6: weights, two responses under w+, their rewards and what the reference
        makes of them. parts: the micro-batches, as the reference reads them.
        """
        step = self.state.global_step
        w_pos, w_neg = self.draw_weights([row["prompt_id"] for row in rows], step)
        prompts = [self.prompt_ids(rows, w_pos)]
        if self.settings.beta_w > 0:
            prompts.append(self.prompt_ids(rows, w_neg))
        policy = self.accelerator.unwrap_model(self.model)
        split = [split_prefix(variants) for variants in zip(*prompts, strict=True)]
        prefixes, conditions = [first for first, _ in split], [rest for _, rest in split]
        with self.compute_loss_context_manager():
            responses = self.sample(policy, rows, prompts[0], step)
            rewards = self.begin(partial(self.score, rows, responses))
            policy.eval()  # dropout belongs to training: `training_step` switches it on again
            with torch.no_grad(), policy.disable_adapter():
                ref_logps = [
                    log_probs(policy, prefixes[part], conditions[part], responses[part])
                    for part in parts
                ]
        raw, found = rewards(), torch.cat(ref_logps)
        return Explored(rows, w_pos, w_neg, prefixes, conditions, responses, raw, found)

    def begin(self, scoring: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
        """Scoring whose result is asked for later, and which is done meanwhile where that saves time."""
        return self.scorer.submit(scoring).result if self.scorer else scoring

    def draw_weights(self, ids: Sequence[int], step: int) -> tuple[np.ndarray, np.ndarray]:
        """w+ and w-, independent for every prompt: two (B, K) arrays.

        With `w_neg_distance`, w- is drawn again until it is that far from w+ (L1). Below 1 there is
        always such a w-, since some corner of the simplex is at least that far away.
        """
        s, k = self.settings, len(self.scale.objectives)
        pairs = []
        for i in ids:
            rng = np.random.default_rng([self.run.seed, Stream.ONLINE_WEIGHTS, step, i])
            pos, neg = sample_weights(2, s.alpha, k, rng, s.decimals)
            while np.abs(pos - neg).sum() < s.w_neg_distance:
                (neg,) = sample_weights(1, s.alpha, k, rng, s.decimals)
            pairs.append((pos, neg))
        return np.array([p for p, _ in pairs]), np.array([n for _, n in pairs])

    def prompt_ids(self, rows: Rows, weights: np.ndarray) -> list[torch.Tensor]:
        """Token ids of G(x, w) for each prompt."""
        texts = [
            build_prompt(row["x"], self.scale.objectives, list(w), self.settings.decimals)
            for row, w in zip(rows, weights, strict=True)
        ]
        return encode(texts, self.tokenizer)

    def sample(
        self, model: Any, rows: Rows, prompts: list[torch.Tensor], step: int
    ) -> list[list[Response]]:
        """Two responses per prompt from the current policy under w+, dropout off."""
        keys = [(self.run.seed, Stream.ONLINE_RESPONSES, step, row["prompt_id"]) for row in rows]
        streams = sample_streams(keys, 2, self.settings.max_new_tokens)
        how = Sampling.of(self.settings, self.tokenizer, model, self.run.operation.cache_gib)
        sampled = generate(model, prompts, streams, how)
        return [[clean_response(ids, self.tokenizer) for ids in pair] for pair in sampled]

    def score(self, rows: Rows, responses: list[list[Response]]) -> np.ndarray:
        """Raw rewards (B, 2, K); the oracles see the raw prompt and the cleaned response."""
        prompts = [row["prompt"] for row in rows for _ in range(2)]
        texts = [response.text for pair in responses for response in pair]
        return score_all(self.oracles, prompts, texts).reshape(len(rows), 2, -1)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the figures since the last log line."""
        logs.update(self.figures.means(self.accelerator))
        super().log(logs, start_time)


def log_probs(
    model: Any,
    prefixes: Sequence[torch.Tensor],
    conditions: Sequence[list[torch.Tensor]],
    responses: Sequence[list[Response]],
) -> torch.Tensor:
    """Summed log-probs of B pairs of responses under C prompts each: (B, C, 2).

    C is 2, w+ and w-, or 1 if beta_w = 0: then the w- passes are not made at all.
    """
    ids = [[response.ids for response in pair] for pair in responses]
    return tree_logprobs(model, prefixes, conditions, ids)
