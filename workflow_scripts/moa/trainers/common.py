"""What all trainers share: arguments, resuming, the log of every step, progress, checks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import SaveStrategy

from moa.job import JobError
from moa.progress import Progress

METRICS = "metrics.jsonl"
# Wall times differ between equal runs, and train_loss counts only the steps since a resume.
_UNSTABLE = (
    "train_runtime",
    "train_samples_per_second",
    "train_steps_per_second",
    "total_flos",
    "train_loss",
)


def argument_values(
    settings: dict[str, Any], operation: dict[str, Any], checkpoints: Path, seed: int
) -> dict[str, Any]:
    """Keyword arguments of `TrainingArguments` and its subclasses, from a config's settings.

    settings: epochs, learning_rate, batch_size (per optimizer step), micro_batch_size, scheduler,
    warmup_ratio, max_grad_norm, gradient_checkpointing, logging_steps, dtype.
    operation: report_to and checkpoint_minutes, which change no result.
    """
    micro = min(settings["micro_batch_size"], settings["batch_size"])
    return {
        "output_dir": str(checkpoints),
        "num_train_epochs": settings["epochs"],
        "learning_rate": settings["learning_rate"],
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": settings["batch_size"] // micro,
        "lr_scheduler_type": settings["scheduler"],
        "warmup_steps": settings["warmup_ratio"],  # transformers reads a float below 1 as a ratio
        "optim": "adamw_torch",  # with no weight decay this is Adam
        "weight_decay": 0.0,
        "max_grad_norm": settings["max_grad_norm"],
        "seed": seed,
        "bf16": settings["dtype"] == "bfloat16",
        "gradient_checkpointing": settings["gradient_checkpointing"],
        "logging_steps": settings["logging_steps"],
        "logging_nan_inf_filter": False,
        "save_strategy": SaveStrategy.NO,  # TimedCheckpoints asks for saves
        "save_total_limit": 2,
        "report_to": operation["report_to"] or "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def train(
    trainer: Trainer,
    checkpoints: Path,
    title: str,
    checkpoint_minutes: float,
    save_batch: Callable[[], Path] | None = None,
) -> Path:
    """Run a trainer to its end, resuming from its last whole checkpoint if there is one.

    save_batch: writes the current batch to a file, called before stopping on a bad gradient.
    Returns: the path of `metrics.jsonl`, every logged step of the whole run.
    """
    checkpoints.mkdir(parents=True, exist_ok=True)
    metrics = checkpoints / METRICS
    trainer.remove_callback(PrinterCallback)  # ShowProgress and StepLog say it better
    trainer.add_callback(TimedCheckpoints(checkpoint_minutes))
    trainer.add_callback(StepLog(metrics))
    trainer.add_callback(ShowProgress(title))
    trainer.add_callback(FiniteGradients(save_batch))
    last = last_checkpoint(checkpoints)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return metrics


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written whole; `trainer_state.json` is written last."""
    whole = [p for p in folder.glob("checkpoint-*") if (p / "trainer_state.json").is_file()]
    return max(whole, key=lambda p: int(p.name.rsplit("-", 1)[1]), default=None)


class TimedCheckpoints(TrainerCallback):
    """Asks for a checkpoint whenever `minutes` have passed since the last."""

    def __init__(self, minutes: float) -> None:
        self.seconds, self._last = minutes * 60, time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if time.monotonic() - self._last >= self.seconds:
            control.should_save = True
            self._last = time.monotonic()


class StepLog(TrainerCallback):
    """One JSON line per logged step, without wall times, so that equal runs give equal bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        # A resumed run may have logged steps after its checkpoint: start from the checkpoint's own.
        self.path.write_text("".join(map(self._line, state.log_history)))

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        with open(self.path, "a", encoding="utf-8") as handle:
            handle.write(self._line(state.log_history[-1]))

    @staticmethod
    def _line(entry: dict[str, Any]) -> str:
        kept = {k: v for k, v in entry.items() if k not in _UNSTABLE}
        return json.dumps(kept, sort_keys=True) + "\n"


class ShowProgress(TrainerCallback):
    """A bar over optimizer steps that shows the latest logged figures."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._figures: dict[str, float] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._bar = Progress(state.max_steps, self.title, "steps", initial=state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        hidden = ("epoch", "learning_rate", "grad_norm", "entropy", "num_tokens", *_UNSTABLE)
        self._figures = {k: v for k, v in (logs or {}).items() if k not in hidden}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._bar.update(1, self._figures)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._bar.close()


class FiniteGradients(TrainerCallback):
    """Stops before an optimizer step whose gradient is not finite."""

    def __init__(self, save_batch: Callable[[], Path] | None) -> None:
        self.save_batch = save_batch

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: Any,
    ) -> None:
        for name, parameter in model.named_parameters():
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                saved = f"; the batch is saved in {self.save_batch()}" if self.save_batch else ""
                raise JobError(
                    f"step {state.global_step}: the gradient of {name} is not finite{saved}. The "
                    f"optimizer did not step and the checkpoints in {args.output_dir} are intact. "
                    "Lower the learning rate, or look at the batch of this step"
                )
