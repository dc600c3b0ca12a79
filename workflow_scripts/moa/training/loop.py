"""What all trainers share: what they are given, arguments, resuming, progress."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
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

from moa.runtime import preemption
from moa.runtime.errors import JobError
from moa.runtime.job import log
from moa.runtime.progress import Progress
from moa.runtime.publishing import Job
from moa.runtime.settings import OperationSettings
from moa.training.checkpoints import UNFINISHED, Checkpoints, last_checkpoint
from moa.training.explored import EXPLORED
from moa.training.guards import FiniteGradients, SomethingIsLearned
from moa.training.processes import processes
from moa.training.settings import OptimizerSettings
from moa.training.step_log import METRICS, StepLog

_HIDDEN = ("epoch", "learning_rate", "grad_norm", "entropy", "num_tokens", "total_flos")


@dataclass(frozen=True)
class TrainingRun:
    """What a training run is given beside its settings.

    checkpoints: a folder that outlives a killed job. title: what progress is shown under.
    """

    checkpoints: Path
    seed: int
    title: str
    operation: OperationSettings

    @classmethod
    def of(cls, job: Job) -> TrainingRun:
        """The one training run of a job."""
        return cls(job.checkpoints, job.seed, job.name, job.operation)


def argument_values(settings: OptimizerSettings, dtype: str, run: TrainingRun) -> dict[str, Any]:
    """Keyword arguments of `TrainingArguments` and its subclasses.

    settings: batch_size is per optimizer step, over all processes; micro_batch_size per process.
    dtype: of the frozen weights.
    Raises: JobError if the processes cannot share a batch evenly.
    """
    world = processes().num_processes
    share, rest = divmod(settings.batch_size, world)
    if rest:
        raise JobError(
            f"batch_size {settings.batch_size} cannot be shared by {world} processes: "
            "change operation.processes to a divisor"
        )
    micro = min(settings.micro_batch_size, share)
    if share % micro:
        raise JobError(
            f"a process's share of a batch is {share} prompts, which is no multiple of "
            f"micro_batch_size {micro}: change it, or operation.processes"
        )
    return {
        "output_dir": str(run.checkpoints / UNFINISHED),
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": share // micro,
        "lr_scheduler_type": settings.scheduler,
        "warmup_steps": settings.warmup_ratio,  # transformers reads a float below 1 as a ratio
        "optim": "adamw_torch",  # with no weight decay this is Adam
        "weight_decay": 0.0,
        "max_grad_norm": settings.max_grad_norm,
        "seed": run.seed,
        "bf16": dtype == "bfloat16",
        "gradient_checkpointing": settings.gradient_checkpointing,
        "use_cpu": not torch.cuda.is_available(),
        "ddp_find_unused_parameters": False,
        # Every step: sums since the last log line are in no checkpoint. StepLog thins them out.
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": SaveStrategy.NO,  # Checkpoints asks for saves and drops old ones
        "report_to": list(run.operation.report_to) or "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def train(
    trainer: Trainer,
    run: TrainingRun,
    logging_steps: int,
    save_batch: Callable[[], Path] | None = None,
) -> Path:
    """Run a trainer to its end, resuming from its last checkpoint if there is one.

    logging_steps: steps between lines of metrics.jsonl. save_batch: writes the current batch to a
    file, called before stopping on a bad gradient. Returns: the path of `metrics.jsonl`.
    Raises: Preempted, with everything saved, if the job has to leave.
    """
    checkpoints = run.checkpoints
    checkpoints.mkdir(parents=True, exist_ok=True)
    metrics, explored = checkpoints / METRICS, checkpoints / EXPLORED
    last = last_checkpoint(checkpoints)
    if last:
        log.info("%s resumes from %s", run.title, last.name)
    if last and (last / EXPLORED).exists() and processes().is_main_process:
        shutil.copyfile(last / EXPLORED, explored)

    def with_logs(folder: Path) -> None:
        if explored.exists():
            shutil.copyfile(explored, folder / EXPLORED)

    saving = Checkpoints(checkpoints, run.operation.checkpoint_minutes, with_logs)
    trainer.remove_callback(PrinterCallback)  # ShowProgress and StepLog say it better
    trainer.add_callback(StepLog(metrics, logging_steps))
    trainer.add_callback(SomethingIsLearned(run.title))
    trainer.add_callback(FiniteGradients(save_batch))
    trainer.add_callback(saving)
    if processes().is_main_process:
        trainer.add_callback(ShowProgress(run.title))
    with preemption.deferred():
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    if saving.left:
        step = trainer.state.global_step
        raise preemption.Preempted(
            f"{saving.left}; saved at step {step} of {trainer.state.max_steps}"
        )
    return metrics


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
        shown = {k: v for k, v in (logs or {}).items() if k not in _HIDDEN}
        self._figures = {k: v for k, v in shown.items() if not k.startswith("train_")}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._bar.update(1, self._figures)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._bar.close()
