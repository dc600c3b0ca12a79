"""Online preference optimisation: MI-EPO and, with beta_w = 0, MO-ODPO (the paper's algorithm 1).

One optimizer step is `compute_loss`, read top to bottom: draw w+ and w-, sample two responses under
w+, score them with every oracle, take the log-probabilities under w+ (and w-), compute the loss.
Everything random is keyed by (seed, step, prompt), so a batch's content depends neither on how it
is split nor on when the run was interrupted.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

from moa.generation import Response, clean_response, generate, sample_streams
from moa.job import JobError
from moa.logprobs import tree_logprobs
from moa.losses import LossOutput, mi_epo_loss, scalarised_dpo_loss
from moa.oracles.base import Oracle, score_all
from moa.policies import common_prefix
from moa.preferences import build_prompt, sample_weights
from moa.trainers.common import argument_values
from moa.trainers.explored import ExploredLog

WEIGHTS, RESPONSES = 1, 2  # what a random stream is for


class OnlineTrainer(Trainer):
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
        self.model_accepts_loss_kwargs = False  # the loss is a mean; the Trainer divides by steps
        self.tokenizer, self.objectives, self.oracles = tokenizer, list(objectives), oracles
        self.mean, self.std, self.settings, self.run_seed = mean, std, settings, seed
        self.explored = ExploredLog(checkpoints / "explored.jsonl")
        self.add_callback(self.explored)
        self._figures: dict[str, list[float]] = defaultdict(list)
        self._batches: list[dict[str, Any]] = []

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Algorithm 1, lines 3-9, for one (micro-)batch of B prompts. Returns: the scalar loss."""
        rows, step = inputs, self.state.global_step
        w_pos, w_neg = self.draw_weights([row["prompt_id"] for row in rows], step)
        prompts = [self.encode(rows, w_pos)]
        if self.settings["beta_w"] > 0:
            prompts.append(self.encode(rows, w_neg))
        responses = self.sample(model, rows, prompts[0], step)
        raw = self.score(rows, responses)
        policy_logps, ref_logps = self.log_probs(model, prompts, responses)
        self.remember(rows, w_pos, w_neg, responses, raw, policy_logps, ref_logps, step)
        self.stop_unless_finite("log-probabilities", policy_logps + ref_logps)
        rewards = torch.tensor((raw - self.mean) / self.std, dtype=torch.float32)
        output = self.loss(policy_logps, ref_logps, rewards, torch.tensor(w_pos))
        self.stop_unless_finite("loss", output.loss)
        ratios = (policy_logps.detach() - ref_logps).mean(dim=(0, 2)).tolist()
        self.record(output, raw, responses, np.abs(w_pos - w_neg).sum(axis=1), ratios)
        self.explored.add(step, w_pos, raw)
        return output.loss

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
            ref_logps = tree_logprobs(model, prefixes, conditions, ids)
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
        path = Path(self.args.output_dir) / f"not_finite_step_{self.state.global_step}.json"
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
        log_ratios: list[float],
    ) -> None:
        """Keep the figures of a batch until the next log line.

        raw: (B, 2, K). distance: (B,), L1 between w+ and w-. log_ratios: the mean d(y|w+) and, with
        an exploration term, d(y|w-).
        """
        figures = self._figures
        for name, ratio in zip(("log_ratio_pos", "log_ratio_neg"), log_ratios, strict=False):
            figures[name].append(ratio)
        figures["loss_alignment"].append(output.alignment.mean().item())
        figures["loss_exploration"].append(output.exploration.mean().item())
        tied = raw[:, 0] == raw[:, 1]
        for k, name in enumerate(self.objectives):
            figures[f"reward_{name}"].append(float(raw[:, :, k].mean()))
            figures[f"ties_{name}"].append(float(tied[:, k].mean()))
        flat = [response for pair in responses for response in pair]
        figures["w_distance"].append(float(distance.mean()))
        figures["identical"].append(float(np.mean([a.text == b.text for a, b in responses])))
        figures["empty"].append(float(np.mean([not r.text for r in flat])))
        figures["finished"].append(float(np.mean([r.finished for r in flat])))
        figures["tokens"].append(float(np.mean([len(r.ids) for r in flat])))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the figures since the last log line to the Trainer's own."""
        logs.update({name: float(np.mean(values)) for name, values in self._figures.items()})
        self._figures.clear()
        super().log(logs, start_time)
