"""Rewards-in-Context: SFT on responses under their own rewards, then rounds on filtered samples.

Offline: every dataset response of the train split is learned under the rewards it got. Each online
round asks the policy for goals on and near the best front, scores what it answers, keeps what
reaches the offline quantile of some objective, and learns it under the rewards it really got, mixed
with offline responses that pass the same filter. Source: Yang et al. 2024, "Rewards-in-Context".
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerBase

from moa.datasets.shards import in_shards
from moa.models.goals import build_goal_prompt, preference_to_goal, reaches_quantile
from moa.models.policies import ADAPTER, save_adapter
from moa.models.prompts import distinct_prompts, encode, truncate_prompt
from moa.models.sampling import Sampling, clean_response, generate, sample_streams
from moa.models.streams import Stream
from moa.oracles.base import Oracle, score_all
from moa.oracles.scale import RewardScale
from moa.preferences import sample_weights
from moa.runtime.errors import JobError
from moa.runtime.files import write_json
from moa.runtime.job import log
from moa.runtime.progress import Progress
from moa.training.loop import TrainingRun
from moa.training.processes import processes, shared
from moa.training.settings import RiCStage
from moa.training.sft import tokenize_example, train_sft
from moa.training.step_log import METRICS

SHARD = 512  # prompts of a round that a kill can lose


@dataclass
class RiC:
    """All that the stages share.

    offline: the scored responses of the dataset, with prompt_id, prompt, response and
    norm_<objective>.
    """

    model: PeftModel
    tokenizer: PreTrainedTokenizerBase
    oracles: Sequence[Oracle]
    offline: pd.DataFrame
    scale: RewardScale
    settings: RiCStage
    run: TrainingRun

    @property
    def objectives(self) -> tuple[str, ...]:
        return self.scale.objectives

    @property
    def rewards(self) -> list[str]:
        return self.scale.norm_columns

    def goals(self) -> dict[str, Any]:
        """The rule and the range of each objective offline, which map a preference to a goal."""
        seen = self.offline[self.rewards].to_numpy()
        return {
            "rule": self.settings.goal,
            "low": seen.min(axis=0).tolist(),
            "high": seen.max(axis=0).tolist(),
        }

    def train(self) -> Path:
        """All stages, each resumed or skipped if it was done. Returns: the path of metrics.jsonl."""
        s = self.settings
        lines = self._stage("offline", s, lambda: self.offline)
        constant = s.model_copy(
            update={
                "epochs": s.round_epochs,
                "learning_rate": s.round_learning_rate,
                "scheduler": "constant",
                "warmup_ratio": 0.0,
            }
        )
        for n in range(1, s.rounds + 1):
            lines += self._stage(f"round{n}", constant, partial(self._round, n))
        path = self.run.checkpoints / METRICS
        if processes().is_main_process:
            path.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
        return path

    def _stage(
        self, part: str, settings: RiCStage, rows: Callable[[], pd.DataFrame]
    ) -> list[dict[str, Any]]:
        """Train one stage unless its adapter is there. Returns: its log lines."""
        folder, job = self.run.checkpoints / part, processes()
        done, table = folder / "done", folder / "examples.parquet"
        finished, sampled = done.is_dir(), table.exists()
        job.wait_for_everyone()  # all have looked before one of them writes
        if finished:
            state = load_file(done / ADAPTER / "adapter_model.safetensors")
            set_peft_model_state_dict(self.model, state)
        else:
            if not sampled:
                learned = rows()
                if job.is_main_process:
                    folder.mkdir(parents=True, exist_ok=True)
                    learned.to_parquet(folder / "examples.tmp")
                    (folder / "examples.tmp").rename(table)
                job.wait_for_everyone()
            train_sft(
                self.model,
                self.tokenizer,
                self._examples(pd.read_parquet(table)),
                settings,
                settings.dtype,
                replace(self.run, checkpoints=folder / "checkpoints", title=f"RiC {part}"),
            )
            if job.is_main_process:
                half = folder / "half"
                shutil.rmtree(half, ignore_errors=True)
                save_adapter(self.model, half)
                shutil.copy(folder / "checkpoints" / METRICS, half)
                half.rename(done)
            job.wait_for_everyone()
        lines = [json.loads(line) for line in (done / METRICS).read_text().splitlines()]
        summary = folder / "sampled.json"
        counts = [json.loads(summary.read_text())] if summary.exists() else []
        return [{"part": part, **line} for line in [*counts, *lines]]

    def _examples(self, rows: pd.DataFrame) -> list[dict[str, list[int]]]:
        """SFT examples: each response under its own rewards."""
        s, examples = self.settings, []
        for prompt, response, goal in zip(
            rows["prompt"], rows["response"], rows[self.rewards].to_numpy(), strict=True
        ):
            x = truncate_prompt(
                prompt, self.objectives, self.tokenizer, s.max_prompt_tokens, s.decimals
            )
            text = build_goal_prompt(x, self.objectives, goal)
            examples.append(tokenize_example(text, response, self.tokenizer, s.max_new_tokens))
        return examples

    def _round(self, n: int) -> pd.DataFrame:
        """Sample, score and filter: a round's training rows."""
        sampled = self._sample(n)
        seen = self.offline[self.rewards].to_numpy()
        quantile = self.settings.quantile
        kept = sampled[reaches_quantile(sampled[self.rewards].to_numpy(), seen, quantile)]
        kept = kept[kept["response"] != ""]
        good = self.offline[reaches_quantile(seen, seen, quantile)]
        if kept.empty:
            raise JobError(
                f"RiC round {n}: none of {len(sampled)} samples reaches the {quantile} quantile of "
                "any objective; lower ric.quantile or train longer offline"
            )
        if processes().is_main_process:
            write_json(
                self.run.checkpoints / f"round{n}" / "sampled.json",
                {
                    "sampled": len(sampled),
                    "kept": len(kept),
                    **{name: float(sampled[name].mean()) for name in self.scale.raw_columns},
                },
            )
        log.info("RiC round %d: kept %d of %d samples", n, len(kept), len(sampled))
        columns = ["prompt_id", "prompt", "response", *self.rewards]
        return pd.concat([kept[columns], good[columns]], ignore_index=True)

    def _sample(self, n: int) -> pd.DataFrame:
        """One response per train prompt under a goal that a random preference asks for."""
        rows = distinct_prompts(
            self.offline,
            self.objectives,
            self.tokenizer,
            self.settings.max_prompt_tokens,
            self.settings.decimals,
        )
        bar = Progress(len(rows), f"RiC round {n} samples", "responses")

        def make(part: slice) -> pd.DataFrame:
            answered = shared(rows[part], lambda share: self._answer(n, share))
            bar.update(len(answered))
            return pd.DataFrame(answered)

        sampled = in_shards(self.run.checkpoints / f"round{n}", "sampled", len(rows), SHARD, make)
        bar.close()
        sampled[self.rewards] = self.scale.normalise(sampled[self.scale.raw_columns].to_numpy())
        return sampled

    def _answer(self, n: int, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Sampled and scored responses: prompt_id, prompt, response, raw_<objective>."""
        s, goals = self.settings, self.goals()
        texts, keys = [], []
        for row in rows:
            i = row["prompt_id"]
            rng = np.random.default_rng([self.run.seed, Stream.RIC_WEIGHTS, n, i])
            w = sample_weights(1, s.alpha, len(self.objectives), rng, s.decimals)[0]
            wanted = preference_to_goal(w, goals["low"], goals["high"], goals["rule"])
            texts.append(build_goal_prompt(row["x"], self.objectives, wanted))
            keys.append((self.run.seed, Stream.RIC_RESPONSES, n, i))
        sampled = generate(
            self.model,
            encode(texts, self.tokenizer),
            sample_streams(keys, 1, s.max_new_tokens),
            Sampling.of(s, self.tokenizer, self.model, self.run.operation.cache_gib),
        )
        responses = [clean_response(one[0], self.tokenizer).text for one in sampled]
        raw = score_all(self.oracles, [row["prompt"] for row in rows], responses)
        return [
            {
                "prompt_id": row["prompt_id"],
                "prompt": row["prompt"],
                "response": response,
                **dict(zip(self.scale.raw_columns, map(float, rewards), strict=True)),
            }
            for row, response, rewards in zip(rows, responses, raw, strict=True)
        ]
