"""A linear head on features of (prompt, response), fitted on labels: what all fitted kinds share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moa.oracles.fitting.labels import Labels
from moa.oracles.fitting.linear_head import (
    Examples,
    auc,
    cross_validate,
    fit,
    within_prompt_accuracy,
)

CAVEAT = "A weak proxy fitted on few labels; held-out figures are for the L2 that looked best."
# (prompts, responses) -> (N, D)
Features = Callable[[list[str], list[str]], np.ndarray]


@dataclass(frozen=True)
class Head:
    """An oracle: score = features . weight + bias, in logits of the human label; higher is better."""

    objective: str
    features: Features
    weight: np.ndarray
    bias: float

    def score(self, prompts: list[str], responses: list[str]) -> np.ndarray:
        """(N,) float64; finite for every text, an empty response included."""
        return self.features(prompts, responses) @ self.weight + self.bias


def fit_head(
    objective: str, labels: Labels, features: Features, l2_grid: Sequence[float]
) -> tuple[Head, dict[str, Any]]:
    """A head and its report: labels by kind, held-out AUC and pair accuracies, and scores of degenerate
    responses. The L2 penalty is the one of l2_grid with the lowest held-out cross-entropy.
    """
    data = _examples(labels, features)
    tried = {l2: cross_validate(data, l2) for l2 in l2_grid}
    l2 = min(tried, key=lambda value: tried[value][1])
    head = Head(objective, features, *fit(data, l2))
    report = {
        "label_source": labels.source,
        "l2": l2,
        "heldout_cross_entropy_by_l2": {str(value): tried[value][1] for value in l2_grid},
        "heldout": {
            k: _heldout(data[data.kind == k], tried[l2][0][data.kind == k])
            for k in dict.fromkeys(data.kind.tolist())
        },
        **_probed(head, labels.probes),
        "caveat": CAVEAT,
    }
    return head, report


def _examples(labels: Labels, features: Features) -> Examples:
    """The labels' rows as features; a pair as the difference of its two responses."""
    rows = labels.rows
    prompts = [row.prompt for row in rows]
    is_pair = np.array([row.worse is not None for row in rows])
    x = features(prompts, [row.response for row in rows])
    worse = [(row.prompt, row.worse) for row in rows if row.worse is not None]
    if worse:
        x[is_pair] -= features([prompt for prompt, _ in worse], [y for _, y in worse])
    target, weight = np.array([row.target for row in rows]), np.array([row.weight for row in rows])
    kind = np.array([row.kind for row in rows])
    return Examples(x, target, is_pair, weight, np.array(prompts), kind)


def _heldout(data: Examples, scores: np.ndarray) -> dict[str, float | int]:
    """Pair accuracy for pairs; AUC (label above 0.5) and order within a prompt for ratings."""
    if data.is_pair.any():
        return {"n_pairs": len(scores), "pair_accuracy": float((scores > 0).mean())}
    accuracy, n = within_prompt_accuracy(scores, data.target, data.prompt, margin=0.25)
    return {
        "n_labels": len(scores),
        "n_prompts": len(set(data.prompt.tolist())),
        "auc": auc(scores, data.target > 0.5),
        "within_prompt_accuracy": accuracy,
        "within_prompt_pairs": n,
    }


def _probed(head: Head, probes: dict[str, list[tuple[str, str]]]) -> dict[str, float]:
    """Mean scores of real responses (with std) and of each kind that should score lower."""
    scores = {}
    for kind, texts in probes.items():
        found = head.score([prompt for prompt, _ in texts], [response for _, response in texts])
        name = kind.replace("'s", "").replace(" ", "_").replace("-", "_")
        scores[f"{name}_response_score"] = float(found.mean())
        if kind == "real":
            scores["real_response_std"] = float(found.std())
    return scores
