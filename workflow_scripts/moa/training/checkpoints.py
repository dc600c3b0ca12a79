"""Checkpoints that a killed job resumes from, and leaving in time.

The Trainer writes a checkpoint (adapter, optimizer, scheduler, every process's random state, place in the
data, log) below `unfinished/`; once it is on the disk, one rename makes it `checkpoint-<step>`.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import reduce
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from moa.runtime import preemption
from moa.training.processes import processes

UNFINISHED = "unfinished"
KEPT = 2  # the newest, and the one before it in case a disk lies


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint of a training run, or None."""
    steps = folder.glob("checkpoint-*")
    return max(steps, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


class Checkpoints(TrainerCallback):
    """Asks for a checkpoint every `minutes`, and for a last one when the job has to leave.

    also_save: called with the unfinished checkpoint's folder, to add files of one's own.
    left: why training ended early, or None.
    """

    def __init__(self, folder: Path, minutes: float, also_save: Callable[[Path], None]) -> None:
        self.folder, self.seconds, self.also_save = folder, minutes * 60, also_save
        self.left: str | None = None
        self._last_save = self._last_step = time.monotonic()
        self._slowest_step = self._slowest_save = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if processes().is_main_process:
            shutil.rmtree(self.folder / UNFINISHED, ignore_errors=True)
        self._last_save = self._last_step = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        now = time.monotonic()
        self._slowest_step = max(self._slowest_step, now - self._last_step)
        self._last_step = now
        # Processes must agree: one that saved alone would wait for the others forever.
        why = preemption.reason(self._slowest_step + self._slowest_save)
        leave, due = _any_process(why is not None, now - self._last_save >= self.seconds)
        if leave and state.global_step < state.max_steps:
            self.left = why or "another process of the job has to leave"
            control.should_save = control.should_training_stop = True
        elif due:
            control.should_save = True
        self._began_save = now

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        job = processes()
        job.wait_for_everyone()  # each writes its own random state
        if job.is_main_process:
            name = f"checkpoint-{state.global_step}"
            written = self.folder / UNFINISHED / name
            self.also_save(written)
            _flush(written)
            os.rename(written, self.folder / name)
            _drop_old(self.folder)
        self._last_save = self._last_step = time.monotonic()
        self._slowest_save = max(self._slowest_save, self._last_save - self._began_save)


def _any_process(*flags: bool) -> list[bool]:
    """Each flag: whether it is set in any process."""
    state = processes()
    if state.num_processes == 1:
        return list(flags)
    votes = torch.tensor(flags, dtype=torch.int32, device=state.device)
    return (reduce(votes, reduction="sum") > 0).tolist()


def _flush(folder: Path) -> None:
    """To the disk, files first, so that the rename never shows a half-written checkpoint."""
    for path in [*(p for p in folder.rglob("*") if p.is_file()), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _drop_old(folder: Path) -> None:
    steps = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rsplit("-", 1)[1]))
    for path in steps[:-KEPT]:
        # Renamed first: a kill while deleting must not leave what looks like a checkpoint.
        doomed = path.with_name(f"{UNFINISHED}-{path.name}")
        os.rename(path, doomed)
        shutil.rmtree(doomed)
