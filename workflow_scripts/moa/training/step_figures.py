"""The figures of an online step that metrics.jsonl shows: means over prompts and responses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from moa.losses import LossOutput
from moa.models.sampling import Response


class StepFigures:
    """Adds figures up over micro-batches; a log line takes their means and starts anew."""

    def __init__(self) -> None:
        self._sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))  # sum and number

    def add(self, values: Mapping[str, Any]) -> None:
        """values: name -> what a micro-batch has of it, one per prompt or response."""
        for name, of_batch in values.items():
            self._sums[name] += [float(np.sum(of_batch)), len(of_batch)]

    def means(self, accelerator: Accelerator) -> dict[str, float]:
        """Means over all processes since the last call, which all processes must make together."""
        if not self._sums:
            return {}
        names = sorted(self._sums)
        sums = torch.tensor(np.array([self._sums[name] for name in names]))
        sums = accelerator.reduce(sums.to(accelerator.device), reduction="sum").cpu()
        self._sums.clear()
        return dict(zip(names, (sums[:, 0] / sums[:, 1]).tolist(), strict=True))


def step_figures(
    objectives: Sequence[str],
    loss: LossOutput,
    raw: np.ndarray,
    responses: Sequence[Sequence[Response]],
    w_pos: np.ndarray,
    w_neg: np.ndarray,
    log_ratios: np.ndarray,
) -> dict[str, Any]:
    """What one micro-batch of B prompts adds, by name.

    raw: (B, 2, K). w_pos, w_neg: (B, K), logged as their L1 distance. log_ratios: (B, C, 2), d(y|w+)
    and, with an exploration term, d(y|w-).
    """
    values: dict[str, Any] = {
        "loss_alignment": loss.alignment.detach().double().cpu().numpy(),
        "loss_exploration": loss.exploration.detach().double().cpu().numpy(),
        "w_distance": np.abs(w_pos - w_neg).sum(axis=1),
        "identical": [a.text == b.text for a, b in responses],
        "empty": [not r.text for pair in responses for r in pair],
        "finished": [r.finished for pair in responses for r in pair],
        "tokens": [len(r.ids) for pair in responses for r in pair],
    }
    for k, name in enumerate(objectives):
        values[f"raw_{name}"] = raw[:, :, k].ravel()
        values[f"ties_{name}"] = raw[:, 0, k] == raw[:, 1, k]
    for c, name in enumerate(("log_ratio_pos", "log_ratio_neg")[: log_ratios.shape[1]]):
        values[name] = log_ratios[:, c].ravel()
    return values
