"""What being able to resume costs: the share of training time that checkpoints and step checks take.

`python benchmarks/resume_overhead.py [--config config/synthetic.yaml] [--task safety] [--steps 40]`

MI-EPO of the config is trained for some steps by the bare Trainer, then with all that resuming needs
(step log, signals, agreement between processes) but no checkpoint, then with a checkpoint after every
step; rounds alternate, so that all see the same machine. At the default interval a checkpoint is made
per `checkpoint_minutes`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from transformers import PrinterCallback, TrainerCallback

from moa.datasets import module_name as dataset_module
from moa.models.policies import add_adapter, load_policy, load_tokenizer
from moa.models.prompts import distinct_prompts
from moa.oracles.base import load_oracles
from moa.oracles.scale import RewardScale
from moa.runtime.settings import OperationSettings
from moa.training.bases import module_name as base_module
from moa.training.loop import TrainingRun, train
from moa.training.online import OnlineTrainer
from moa.training.online_losses.mi_epo import loss
from moa.workflow.config import resolve
from moa.workflow.sources import pin


class StepTimes(TrainerCallback):
    """Seconds from the start of a step to the start of the next, checkpoint included."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.starts.append(time.perf_counter())

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.starts.append(time.perf_counter())

    def seconds(self, skip: int = 2) -> list[float]:
        return np.diff(self.starts)[skip:].tolist()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=Path("config/synthetic.yaml"))
    parser.add_argument("--task", default="safety")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = resolve(yaml.safe_load(args.config.read_text()))
    task = config.tasks[args.task]
    settings = next(run.told for run in task.runs if run.method.name == "mi_epo")
    objectives = task.objectives
    scale = RewardScale(tuple(objectives), np.zeros(len(objectives)), np.ones(len(objectives)))
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        base.mkdir()
        import_module(base_module(task.policy.base.kind)).build(task.policy.base, {}, base)
        tokenizer = load_tokenizer(base)
        data = import_module(dataset_module(task.data.kind)).load(task.data.model_dump(), Counter())
        prompts = sorted(set(data["prompt"]))[: args.steps * settings.batch_size]
        rows = distinct_prompts(
            pd.DataFrame({"prompt_id": range(len(prompts)), "prompt": prompts}),
            objectives,
            tokenizer,
            settings.max_prompt_tokens,
        )
        epochs = args.steps * settings.batch_size / len(rows)

        def measure(name: str, minutes: float | None) -> list[float]:
            """Seconds of every step; minutes: between checkpoints, or None for the bare Trainer."""
            operation = OperationSettings(checkpoint_minutes=minutes or 1e9)
            trainer = OnlineTrainer(
                model=add_adapter(load_policy(base), task.policy.lora, seed=0),
                tokenizer=tokenizer,
                rows=rows,
                oracles=load_oracles(objectives, pin(task).oracles, {}),
                scale=scale,
                loss=loss,
                settings=settings.model_copy(update={"epochs": epochs}),
                run=TrainingRun(Path(folder) / name, 0, name, operation),
            )
            times = StepTimes()
            trainer.add_callback(times)
            if minutes is None:
                trainer.run.checkpoints.mkdir(exist_ok=True)
                trainer.remove_callback(PrinterCallback)
                trainer.train()
            else:
                train(trainer, trainer.run, settings.logging_steps)
            return times.seconds()

        bare, checked, saved = [], [], []
        for turn in range(args.rounds):
            bare += measure(f"bare-{turn}", None)
            checked += measure(f"checked-{turn}", 1e9)
            saved += measure(f"saved-{turn}", 1e-9)
    plain, check, save = map(statistics.median, (bare, checked, saved))
    interval = task.operation.checkpoint_minutes * 60
    share = (check - plain) / plain + (save - check) / interval
    print(f"a step of the bare Trainer      {plain * 1e3:8.1f} ms (median of {len(bare)})")
    print(f"with all that resuming needs    {check * 1e3:8.1f} ms   ratio {check / plain:.4f}")
    print(f"and a checkpoint after it       {save * 1e3:8.1f} ms   one costs {save - check:.3f} s")
    print(f"at one checkpoint per {interval / 60:g} min: {share:.2%} of the training time")
    print(f"share_of_resuming = {share:.4g}")


if __name__ == "__main__":
    main()
