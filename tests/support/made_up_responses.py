"""A made-up task whose responses are known, and its metrics, as the explorer reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moa.preferences import evaluation_vectors

OBJECTIVES = ("helpfulness", "harmlessness", "humor", "brevity")
RUNS = {"sft": "SFT", "rlhf": "RLHF", "mo_odpo": "MO-ODPO", "mi_epo": "MI-EPO"}
FOLLOWS = {"sft": 0.0, "rlhf": 2.0, "mo_odpo": 1.0, "mi_epo": 2.0}  # how far w moves rewards
MEAN, STD = 3.0, 0.5  # of raw rewards
JUDGED = 0.25  # of what oracles say, the share that judges see

Say = Callable[[str, int, int, int], str]  # run, seed, vector, prompt -> a response


@dataclass(frozen=True)
class Made:
    """What the explorer reads of a task. judged: None without judges."""

    metrics: dict[str, Any]
    responses: pd.DataFrame
    judged: pd.DataFrame | None

    def row(self, run: str, seed: int, vector: int, prompt: int) -> pd.Series:
        t = self.responses
        found = t[
            (t.run == run) & (t.seed == seed) & (t.vector == vector) & (t.prompt_id == prompt)
        ]
        (_, row), *_ = found.iterrows()
        return row


def plain(run: str, seed: int, vector: int, prompt: int) -> str:
    return f"{run} says {prompt} under {vector}, seed {seed}"


def made_up(
    k: int = 2,
    seeds: int = 2,
    prompts: Sequence[str] | int = 6,
    runs: Sequence[str] = tuple(RUNS),
    say: Say = plain,
    judges: bool = False,
) -> Made:
    """Rewards that follow w as `FOLLOWS` says, with noise. Prompt ids are 10, 11, ..."""
    rng = np.random.default_rng(0)
    texts = [f"prompt {i}" for i in range(prompts)] if isinstance(prompts, int) else prompts
    objectives, vectors = list(OBJECTIVES[:k]), _vectors(k)
    frames, points = [], {}
    for run in runs:
        own = np.eye(k) if run == "rlhf" else vectors
        follows = FOLLOWS.get(run, 1.0)
        shape = (seeds, len(own), len(texts), k)
        norm = follows * (own - 1 / k)[None, :, None] + rng.normal(0, 0.5, shape)
        points[run] = norm.mean(axis=2)
        seed, vector, prompt = (axis.ravel() for axis in np.indices(shape[:3]))
        frame = pd.DataFrame({"run": run, "seed": seed, "vector": vector, "prompt_id": prompt + 10})
        frame["prompt"] = [texts[i] for i in prompt]
        frame["response"] = [
            say(run, s, v, p + 10) for s, v, p in zip(seed, vector, prompt, strict=True)
        ]
        frame["tokens"] = frame["response"].str.split().str.len()
        frame["finished"] = prompt % 2 == 0
        for i, objective in enumerate(objectives):
            frame[f"w_{objective}"] = own[vector, i]
            frame[f"norm_{objective}"] = norm[..., i].ravel()
            frame[f"raw_{objective}"] = norm[..., i].ravel() * STD + MEAN
        frames.append(frame)
    responses = pd.concat(frames, ignore_index=True)
    metrics = {
        "config": "made_up",
        "task": "safety",
        "objectives": objectives,
        "vectors": vectors.tolist(),
        **_rewarded(points, k, 1.0),
        "judged": _rewarded(points, k, JUDGED) if judges else None,
    }
    return Made(metrics, responses, _by_judges(responses) if judges else None)


def _vectors(k: int) -> np.ndarray:
    if k < 4:
        return evaluation_vectors(k)
    return np.vstack([np.eye(k), np.full((1, k), 1 / k), 0.4 * np.eye(k) + 0.15])


def _rewarded(points: dict[str, np.ndarray], k: int, share: float) -> dict[str, Any]:
    """What metrics say of runs by one set of rewards. points: run -> (S, M, K)."""
    front = [[2.0, -1.0], [1.0, 1.0], [-1.0, 2.0]]
    return {
        "normalisation": {"mean": [MEAN] * k, "std": [STD] * k},
        "optimum": {"points": front, "front": front, "hv": 4.0, "mip": 1.0} if k == 2 else None,
        "runs": {
            run: {
                "method": run,
                "label": RUNS.get(run, run),
                "hv": None if run == "rlhf" else {"mean": 1.0},
                "vectors": (np.eye(k) if run == "rlhf" else _vectors(k)).tolist(),
                "points": (share * by_seed).mean(axis=0).tolist(),
                "points_low": (share * by_seed.mean(axis=0) - 0.1).tolist(),
                "points_high": (share * by_seed.mean(axis=0) + 0.1).tolist(),
                "seeds": {
                    str(s): {"points": (share * own).tolist()} for s, own in enumerate(by_seed)
                },
                "warnings": ["w has no visible effect"] if run == "sft" else [],
            }
            for run, by_seed in points.items()
        },
    }


def _by_judges(responses: pd.DataFrame) -> pd.DataFrame:
    judged = responses.copy()
    for column in [name for name in responses if name.startswith("norm_")]:
        judged[column] *= JUDGED
        judged[column.replace("norm_", "raw_")] = judged[column] * STD + MEAN
    return judged
