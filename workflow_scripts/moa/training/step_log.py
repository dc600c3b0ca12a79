"""metrics.jsonl: one line per `every` optimizer steps, the same bytes in equal runs, resumed or not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

METRICS = "metrics.jsonl"
LEFT_OUT = ("num_tokens",)  # TRL counts since the last resume
LATEST = ("step", "epoch", "learning_rate", "grad_norm")  # taken as they stand; the rest are means


class StepLog(TrainerCallback):
    """Writes the file anew from the Trainer's log, which has every step and is in the checkpoint."""

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._write(state)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self._write(state)

    def _write(self, state: TrainerState) -> None:
        if not state.is_world_process_zero:
            return
        lines = summarise(state.log_history, self.every, state.max_steps)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text("".join(json.dumps(x, sort_keys=True) + "\n" for x in lines))
        os.replace(temporary, self.path)


def summarise(history: list[dict[str, Any]], every: int, last: int) -> list[dict[str, Any]]:
    """The mean of every figure over each `every` steps; what is left at step `last` is a line, too.

    history: what the Trainer logged, one entry per step. Entries without a loss (run times, which
    differ between equal runs) are left out.
    """
    lines, group = [], []
    for entry in history:
        if "loss" not in entry:
            continue
        group.append(entry)
        if entry["step"] % every == 0 or entry["step"] == last:
            names = list(dict.fromkeys(n for one in group for n in one if n not in LEFT_OUT))
            lines.append({name: _of(name, group) for name in names})
            group = []
    return lines


def _of(name: str, group: list[dict[str, Any]]) -> Any:
    values = [entry[name] for entry in group if name in entry]
    return values[-1] if name in LATEST else sum(values) / len(values)
