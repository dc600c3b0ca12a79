"""Online preference optimisation: MI-EPO and, with beta_w = 0, MO-ODPO (the paper's algorithm 1).

One optimizer step is `compute_loss`, read top to bottom: draw w+ and w-, sample two responses under
w+, score them with every oracle, take the log-probabilities under w+ (and w-), compute the loss.
Everything random is keyed by (seed, step, prompt), so a batch's content depends neither on how it
is split, over micro-batches and processes, nor on when the run was interrupted.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

from moa.logprobs import tree_logprobs
from moa.losses import LossOutput, mi_epo_loss, scalarised_dpo_loss
from moa.models.policies import common_prefix
from moa.models.sampling import Response, clean_response, generate, sample_streams
from moa.oracles.base import Oracle, score_all
from moa.preferences import build_prompt, sample_weights
from moa.runtime.errors import JobError
from moa.training.batches import SharedBatches
from moa.training.explored import ExploredLog
from moa.training.loop import argument_values

WEIGHTS, RESPONSES = 1, 2  # what a random stream is for


class OnlineTrainer(SharedBatches, Trainer):
    """transformers' Trainer, whose batch is a list of prompts and whose loss samples its own data.

    settings: the config's `online` section, resolved: labels (`per_objective`, `scalarised`),
    beta_c, beta_w, stop_gradient, w_neg_distance, ties, alpha, decimals, temperature, top_p,
    max_new_tokens, and the arguments of `argument_values`. mean, std: (K,) the task's offline
    reward statistics.
    """

    def __init__(
        self,
        model: PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        rows: Sequence[dict[str, Any]],
        objectives: Sequence[str],
        oracles: Sequence[Oracle],
        mean: np.ndarray,
        std: np.ndarray,
        settings: dict[str, Any],
        operation: dict[str, Any],
        checkpoints: Path,
        seed: int,
    ) -> None:
        super().__init__(
            model=model,
            args=TrainingArguments(**argument_values(settings, operation, checkpoints, seed)),
            data_collator=list,
            train_dataset=list(rows),
            processing_class=tokenizer,
        )
        self.model_accepts_loss_kwargs = True  # compute_loss divides by the prompts of the step
        self.tokenizer, self.objectives, self.oracles = tokenizer, list(objectives), oracles
        self.mean, self.std, self.settings, self.run_seed = mean, std, settings, seed
        self.checkpoints = checkpoints
        self.explored = ExploredLog(checkpoints)
        self.add_callback(self.explored)
        # name -> sum and number since the last log line
        self._figures: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
        self._batches: list[dict[str, Any]] = []

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], int]:
        """The micro-batches of one optimizer step, and its number of prompts over all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        n = torch.tensor(sum(map(len, batches)), device=device)
        return batches, int(self.accelerator.reduce(n, reduction="sum"))

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Algorithm 1, lines 3-9, for one micro-batch of B prompts.

        Returns: its share of the loss, a mean over the `num_items_in_batch` prompts of the step, times
        the number of processes, whose gradients are averaged.
        """
        rows, step = inputs, self.state.global_step
        w_pos, w_neg = self.draw_weights([row["prompt_id"] for row in rows], step)
        prompts = [self.encode(rows, w_pos)]
        if self.settings["beta_w"] > 0:
            prompts.append(self.encode(rows, w_neg))
        policy = self.accelerator.unwrap_model(model)
        responses = self.sample(policy, rows, prompts[0], step)
        raw = self.score(rows, responses)
        policy_logps, ref_logps = self.log_probs(model, prompts, responses)
        self.remember(rows, w_pos, w_neg, responses, raw, policy_logps, ref_logps, step)
        self.stop_unless_finite("log-probabilities", policy_logps + ref_logps)
        rewards = torch.tensor((raw - self.mean) / self.std, dtype=torch.float32)
        output = self.loss(policy_logps, ref_logps, rewards, torch.tensor(w_pos))
        self.stop_unless_finite("loss", output.loss)
        ratios = (policy_logps.detach() - ref_logps).double().cpu().numpy()
        self.record(output, raw, responses, np.abs(w_pos - w_neg).sum(axis=1), ratios)
        self.explored.add(step, w_pos, raw)
        share = len(rows) * self.accelerator.num_processes / (num_items_in_batch or len(rows))
        return output.loss * share

    def draw_weights(self, ids: Sequence[int], step: int) -> tuple[np.ndarray, np.ndarray]:
        """w+ and w-, independent for every prompt: two (B, K) arrays.

        With `w_neg_distance`, w- is drawn again until it is that far from w+ (L1). Below 1 there is
        always such a w-, since some corner of the simplex is at least that far away.
        """
        s, k = self.settings, len(self.objectives)
        pairs = []
        for i in ids:
            rng = np.random.default_rng([self.run_seed, WEIGHTS, step, i])
            pos, neg = sample_weights(2, s["alpha"], k, rng, s["decimals"])
            while np.abs(pos - neg).sum() < s["w_neg_distance"]:
                (neg,) = sample_weights(1, s["alpha"], k, rng, s["decimals"])
            pairs.append((pos, neg))
        return np.array([p for p, _ in pairs]), np.array([n for _, n in pairs])

    def encode(self, rows: Sequence[dict[str, Any]], weights: np.ndarray) -> list[torch.Tensor]:
        """Token ids of G(x, w) for each prompt."""
        texts = [
            build_prompt(row["x"], self.objectives, list(w), self.settings["decimals"])
            for row, w in zip(rows, weights, strict=True)
        ]
        return [torch.tensor(ids) for ids in self.tokenizer(texts)["input_ids"]]

    def sample(
        self, model: Any, rows: Sequence[dict[str, Any]], prompts: list[torch.Tensor], step: int
    ) -> list[list[Response]]:
        """Two responses per prompt from the current policy under w+, dropout off."""
        keys = [(self.run_seed, RESPONSES, step, row["prompt_id"]) for row in rows]
        s = self.settings
        sampled = generate(
            model,
            prompts,
            sample_streams(keys, 2, s["max_new_tokens"]),
            max_new_tokens=s["max_new_tokens"],
            temperature=s["temperature"],
            top_p=s["top_p"],
            eos_token_id=self.tokenizer.eos_token_id,
            pad_token_id=self.tokenizer.pad_token_id,
            batch_size=len(prompts),
        )
        return [[clean_response(ids, self.tokenizer) for ids in pair] for pair in sampled]

    def score(self, rows: Sequence[dict[str, Any]], responses: list[list[Response]]) -> np.ndarray:
        """Raw rewards (B, 2, K); the oracles see the raw prompt and the cleaned response."""
        prompts = [row["prompt"] for row in rows for _ in range(2)]
        texts = [response.text for pair in responses for response in pair]
        return score_all(self.oracles, prompts, texts).reshape(len(rows), 2, -1)

    def log_probs(
        self, model: Any, prompts: list[list[torch.Tensor]], responses: list[list[Response]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed log-probs under the policy and its reference (adapter off): two (B, C, 2).

        C is 2, w+ and w-, or 1 if beta_w = 0: then the w- passes are not made at all.
        """
        prefixes, conditions = [], []
        for variants in zip(*prompts, strict=True):
            shared = common_prefix(variants)
            prefixes.append(variants[0][:shared])
            conditions.append([ids[shared:] for ids in variants])
        ids = [[response.ids for response in pair] for pair in responses]
        policy = self.accelerator.unwrap_model(model)
        model.eval()
        with torch.no_grad(), policy.disable_adapter():
            ref_logps = tree_logprobs(policy, prefixes, conditions, ids)
        model.train()  # LoRA's dropout belongs to training, not to sampling or the reference
        return tree_logprobs(model, prefixes, conditions, ids), ref_logps

    def loss(
        self,
        policy_logps: torch.Tensor,
        ref_logps: torch.Tensor,
        rewards: torch.Tensor,
        weights: torch.Tensor,
    ) -> LossOutput:
        """The loss that the settings name; *_logps (B, C, 2), rewards (B, 2, K), weights (B, K)."""
        s, device = self.settings, policy_logps.device
        pos, neg = policy_logps[:, 0], policy_logps[:, 1] if policy_logps.shape[1] > 1 else None
        ref, ref_neg = ref_logps[:, 0], ref_logps[:, 1] if ref_logps.shape[1] > 1 else None
        rewards, weights = rewards.to(device), weights.to(device)
        if s["labels"] == "scalarised":
            return scalarised_dpo_loss(
                pos, ref, rewards, weights, beta_c=s["beta_c"], ties=s["ties"]
            )
        return mi_epo_loss(
            pos,
            ref,
            neg,
            ref_neg,
            rewards,
            weights,
            beta_c=s["beta_c"],
            beta_w=s["beta_w"],
            ties=s["ties"],
            stop_gradient=s["stop_gradient"],
        )

    def remember(
        self,
        rows: Sequence[dict[str, Any]],
        w_pos: np.ndarray,
        w_neg: np.ndarray,
        responses: list[list[Response]],
        raw: np.ndarray,
        policy_logps: torch.Tensor,
        ref_logps: torch.Tensor,
        step: int,
    ) -> None:
        """Keep the micro-batches of the current step, to be saved if something is not finite."""
        if self._batches and self._batches[0]["step"] != step:
            self._batches.clear()
        self._batches.append(
            {
                "step": step,
                "prompts": [row["prompt"] for row in rows],
                "w_pos": w_pos,
                "w_neg": w_neg,
                "responses": [[response.text for response in pair] for pair in responses],
                "rewards": raw,
                "policy_logps": policy_logps.detach(),
                "ref_logps": ref_logps,
            }
        )

    def save_batch(self) -> Path:
        """Write the current step's micro-batches beside the checkpoints; NaN is written as text."""
        path = self.checkpoints / f"not_finite_step_{self.state.global_step}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self._batches, indent=1, default=lambda a: str(a.tolist())))
        return path

    def stop_unless_finite(self, what: str, values: torch.Tensor) -> None:
        """Raise JobError, with the batch saved, before anything is stepped or overwritten."""
        if not torch.isfinite(values).all():
            raise JobError(
                f"step {self.state.global_step}: the {what} of the batch is not finite; the batch is "
                f"saved in {self.save_batch()}. Lower online.learning_rate, or look at its rewards"
            )

    def record(
        self,
        output: LossOutput,
        raw: np.ndarray,
        responses: list[list[Response]],
        distance: np.ndarray,
        log_ratios: np.ndarray,
    ) -> None:
        """Add up the figures of a micro-batch until the next log line.

        raw: (B, 2, K). distance: (B,), L1 between w+ and w-. log_ratios: (B, C, 2), d(y|w+) and,
        with an exploration term, d(y|w-).
        """
        values: dict[str, Any] = {
            "loss_alignment": output.alignment.detach().double().cpu().numpy(),
            "loss_exploration": output.exploration.detach().double().cpu().numpy(),
            "w_distance": distance,
            "identical": [a.text == b.text for a, b in responses],
            "empty": [not r.text for pair in responses for r in pair],
            "finished": [r.finished for pair in responses for r in pair],
            "tokens": [len(r.ids) for pair in responses for r in pair],
        }
        for k, name in enumerate(self.objectives):
            values[f"reward_{name}"] = raw[:, :, k].ravel()
            values[f"ties_{name}"] = raw[:, 0, k] == raw[:, 1, k]
        for c, name in enumerate(("log_ratio_pos", "log_ratio_neg")[: log_ratios.shape[1]]):
            values[name] = log_ratios[:, c].ravel()
        for name, of_prompts in values.items():
            self._figures[name] += [float(np.sum(of_prompts)), len(of_prompts)]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the means, over all processes, of the figures since the last log line."""
        if self._figures:
            names = sorted(self._figures)
            sums = torch.tensor(np.array([self._figures[name] for name in names]))
            sums = self.accelerator.reduce(sums.to(self.accelerator.device), reduction="sum").cpu()
            logs.update(zip(names, (sums[:, 0] / sums[:, 1]).tolist(), strict=True))
            self._figures.clear()
        super().log(logs, start_time)
