"""Stopping before something is learned that is not finite, with the batch saved; or before nothing is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from moa.runtime.errors import JobError
from moa.runtime.job import log

FEW_STEPS = 5  # an average over so few says little of a method


class StepBatches:
    """The micro-batches of the current step, which are written only if something is not finite."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.step = folder, 0
        self._batches: list[dict[str, Any]] = []

    def keep(self, step: int, **batch: Any) -> None:
        """Add a micro-batch: lists of texts, arrays and tensors by name; those of another step go."""
        if step != self.step:
            self._batches.clear()
        self.step = step
        self._batches.append({"step": step, **batch})

    def save(self) -> Path:
        """Write them beside the checkpoints; NaN is written as text."""
        path = self.folder / f"not_finite_step_{self.step}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self._batches, indent=1, default=lambda a: str(a.tolist())))
        return path

    def stop_unless_finite(self, what: str, values: torch.Tensor) -> None:
        """Raise JobError, with the batch saved, before anything is stepped or overwritten."""
        if not torch.isfinite(values).all():
            raise JobError(
                f"step {self.step}: the {what} of the batch is not finite; the batch is saved in "
                f"{self.save()}. Lower online.learning_rate, or look at its rewards"
            )


class FiniteGradients(TrainerCallback):
    """Stops before an optimizer step whose gradient is not finite.

    save_batch: writes the current batch to a file, for trainers that keep it.
    """

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
                    "optimizer did not step and the checkpoints in "
                    f"{Path(args.output_dir).parent} are intact. "
                    "Lower the learning rate, or look at the batch of this step"
                )


class SomethingIsLearned(TrainerCallback):
    """Stops a run that has no step with a learning rate above 0, and warns of one with few steps."""

    def __init__(self, title: str) -> None:
        self.title = title

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        lr_scheduler: Any = None,
        **_: Any,
    ) -> None:
        steps = state.max_steps
        mend = "lower batch_size, or take more epochs or more data"
        # The first step's rate is that of the schedule's step 0.
        if not any(rate(i) > 0 for rate in lr_scheduler.lr_lambdas for i in range(steps)):
            raise JobError(
                f"{self.title}: nothing would be learned: its {steps} step(s) are all warm-up, whose first "
                f"step has the learning rate 0. Set warmup_ratio to 0, or {mend}"
            )
        if steps < FEW_STEPS:
            log.warning("%s has only %d step(s): %s", self.title, steps, mend)
