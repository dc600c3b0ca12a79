"""What online training explored: every sampled response's w+ and raw rewards, by step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from accelerate.utils import gather_object
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from moa.training.processes import processes

EXPLORED = "explored.jsonl"


class ExploredLog(TrainerCallback):
    """One JSON line per prompt and step, of all processes, written when its optimizer step ends."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / EXPLORED
        self._lines: list[str] = []

    def add(self, step: int, weights: np.ndarray, rewards: np.ndarray) -> None:
        """weights: (B, K), the w+ of each prompt; rewards: (B, N, K), raw, of its N responses."""
        for w, r in zip(weights.tolist(), rewards.tolist(), strict=True):
            self._lines.append(json.dumps({"step": step, "w": w, "rewards": r}) + "\n")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._lines.clear()
        if state.global_step == 0 and processes().is_main_process:
            self.path.unlink(missing_ok=True)  # else it is the checkpoint's own

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        job = processes()
        lines = gather_object(self._lines) if job.num_processes > 1 else self._lines
        if job.is_main_process:
            with open(self.path, "a", encoding="utf-8") as handle:
                handle.writelines(lines)
        self._lines.clear()

    def frame(self, objectives: Sequence[str]) -> pd.DataFrame:
        """A row per response: step, progress (share of the steps), w_<o>, raw_<o>."""
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        rewards = np.array([line["rewards"] for line in lines])  # (L, N, K)
        n_lines, n_responses, _k = rewards.shape
        weights = np.repeat(np.array([line["w"] for line in lines]), n_responses, axis=0)
        steps = np.repeat([line["step"] for line in lines], n_responses)
        flat = rewards.reshape(n_lines * n_responses, -1)
        columns: dict[str, Any] = {"step": steps, "progress": (steps + 1) / (steps.max() + 1)}
        columns |= {f"w_{name}": weights[:, i] for i, name in enumerate(objectives)}
        columns |= {f"raw_{name}": flat[:, i] for i, name in enumerate(objectives)}
        return pd.DataFrame(columns)
