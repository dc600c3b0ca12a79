"""Made-up results, figures drawn from them, and what these say."""

from __future__ import annotations

import itertools
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from moa.evaluation.runs import MEASURED
from moa.reporting.figures import style
from moa.workflow import outputs
from moa.workflow.keys import constant
from moa.workflow.methods import METHODS, compared

MEASURES = MEASURED
FIGURES = (*outputs.FIGURES, outputs.SWEEP, *outputs.PHASES, *outputs.BY_JUDGES)
VECTORS = {
    2: [[round(i / 10, 1), round(1 - i / 10, 1)] for i in range(11)],
    3: [[0, 0, 1], [0, 1, 0], [0.1, 0.1, 0.8], [0.33, 0.33, 0.33], [0.6, 0.2, 0.2], [1, 0, 0]],
}
SPREAD = {
    "sft": 0.0,
    "rlhf": 1.2,
    "rewarded_soups": 0.5,
    "ric": 0.7,
    "mo_odpo_scalarised": 0.9,
    "mo_odpo": 1.0,
    "mi_epo": 1.6,
}
SIMILAR = {"betas": "similar", "factor": 16, "reference_tokens": 128, "max_new_tokens": 8}
BETA_W = {"mo_odpo": 0.0, "mo_odpo_scalarised": 0.0, "mi_epo": 0.01}


def results(
    k: int = 2,
    seeds: int = 2,
    prompts: int = 30,
    optimum: bool = True,
    spreads: dict[str, float] | None = None,
    method: dict[str, str] | None = None,
    sd: float = 0.5,
    grid: float = 0.0,
    beta_w: dict[str, float] | None = None,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Metrics and scores of runs whose points lie on arcs of a radius of their own."""
    rng = np.random.default_rng(0)
    objectives = ["helpfulness", "harmlessness", "humor"][:k]
    methods = {"mo_odpo_scalarised": "mo_odpo"} | (method or {})
    runs: dict[str, Any] = {}
    frames = []
    for name, spread in (spreads or SPREAD).items():
        expert = methods.get(name, name) == "rlhf"
        vectors = np.eye(k).tolist() if expert else VECTORS[k]
        rewards = np.empty((seeds, len(vectors), prompts, k))
        for (s, v), _ in np.ndenumerate(rewards[:, :, 0, 0]):
            w = np.array(vectors[v]) / np.linalg.norm(vectors[v])
            rewards[s, v] = spread * (w - 0.4) + rng.normal(0, sd, (prompts, k))
            if grid:
                rewards[s, v] = np.round(rewards[s, v] / grid) * grid
            norm = {f"norm_{o}": rewards[s, v, :, j] for j, o in enumerate(objectives)}
            weights = {f"w_{o}": vectors[v][j] for j, o in enumerate(objectives)}
            index = {"run": name, "seed": s, "vector": v, "prompt_id": range(prompts)}
            frames.append(pd.DataFrame({**norm, **weights, **index}))
        points, half = rewards.mean((0, 2)), 0.1 * sd
        value = {"mean": spread, "seed_std": 0.1 if seeds > 1 else None}
        bounds = {"low": spread - half, "high": spread + half}
        means = {} if expert else {key: {**value, **bounds} for key in ("hv", "mip", "crd")}
        if not expert:
            for key in ("decodability", "kl", "kl_per_token"):
                means[key] = {**value, "low": None, "high": None}
        runs[name] = {
            "method": methods.get(name, name),
            "label": f"label of {name}",
            "beta_w": (beta_w or BETA_W).get(name),
            "betas": {"beta_c": 1.6, "beta_w": 0.16},
            "nats_per_token": 0.0662,
            "vectors": vectors,
            "seeds": {
                str(s): {"points": rewards[s].mean(1).tolist(), **dict.fromkeys(MEASURES)}
                | {key: mean["mean"] + s / 10 for key, mean in means.items()}
                for s in range(seeds)
            },
            **dict.fromkeys(MEASURES),
            **means,
            "points": points.tolist(),
            "points_low": (points - half).tolist(),
            "points_high": (points + half).tolist(),
            "warnings": ["no visible effect of w, costs $5 or $6"] if spread == 0 else [],
        }
    angle = np.linspace(0, np.pi / 2, 50)
    front = 2 * (np.c_[np.sin(angle), np.cos(angle)] - 0.4)
    best = [(2 * (np.array(w) / np.linalg.norm(w) - 0.4)).tolist() for w in VECTORS[k]]
    metrics = {
        "config": "made_up",
        "judged": {"runs": {name: _halved(run) for name, run in runs.items()}},
        "matched_kl": None,
        "task": "safety",
        "objectives": objectives,
        "vectors": VECTORS[k],
        "prompts": prompts,
        "similarity": SIMILAR,
        "reference": [-1.0] * k,
        "normalisation": {"mean": [0.0] * k, "std": [1.0] * k, "of": "the offline responses"},
        "runs": runs,
        "labels": {method.name: method.label for method in METHODS.values()},
        "compared": compared(),
        "optimum": {"points": best, "front": front.tolist() if k == 2 else None}
        | {"hv": 2.5, "mip": 2.0}
        if optimum
        else None,
    }
    return metrics, pd.concat(frames, ignore_index=True)


def _halved(run: dict[str, Any]) -> dict[str, Any]:
    """What judges find of a run who see half of its reward."""
    half = {
        key: {of: value and value / 2 for of, value in run[key].items()}
        for key in ("hv", "mip", "crd")
        if run[key]
    }
    bounds = ("points", "points_low", "points_high")
    return run | half | {key: (np.array(run[key]) / 2).tolist() for key in bounds}


def training(metrics: dict[str, Any], steps: int = 12) -> pd.DataFrame:
    """Curves that rise from 0 to 1 (RLHF: to 2), a little apart for each seed."""
    objectives = metrics["objectives"]
    parts = {"sft": [], "rewarded_soups": [], "rlhf": objectives}
    parts |= {"ric": ["offline", "round1", "round2"]}
    rows: list[dict[str, Any]] = []
    for name, run in metrics["runs"].items():
        method = run["method"]
        for part, seed in itertools.product(parts.get(method, [""]), run["seeds"]):
            for step in range(1, steps + 1):
                progress, online = step / steps, method in ("mo_odpo", "mi_epo")
                height = progress * (2 if method == "rlhf" else 1) + 0.1 * int(seed)
                row = {"run": name, "seed": int(seed), "part": part, "step": step, "loss": 1.0}
                for objective in objectives:
                    sampled = part in ("", objective) or part.startswith("round")
                    row[f"norm_{objective}"] = height if sampled else np.nan
                row["loss_alignment"] = 1 - progress / 2 if online else np.nan
                row["loss_exploration"] = 0.69 if method == "mi_epo" else np.nan
                rows.append(row | {"progress": progress})
    columns = ["run", "seed", "part", "step", "progress", *(f"norm_{o}" for o in objectives)]
    return pd.DataFrame(rows, columns=[*columns, "loss", "loss_alignment", "loss_exploration"])


def explored(metrics: dict[str, Any], sd: float = 0.3, rows: int = 240) -> pd.DataFrame:
    """Responses whose rewards come to follow w in the last third of training."""
    rng = np.random.default_rng(1)
    objectives = metrics["objectives"]
    k = len(objectives)
    frames = []
    for name, run in metrics["runs"].items():
        if run["method"] not in ("mo_odpo", "mi_epo"):
            continue
        w = rng.dirichlet(np.full(k, 0.5), rows).round(2)
        progress = np.arange(1, rows + 1) / rows
        rewards = np.where(progress > 2 / 3, 4.0, 0.0)[:, None] * w + rng.normal(0, sd, (rows, k))
        columns = {f"w_{o}": w[:, j] for j, o in enumerate(objectives)}
        columns |= {f"norm_{o}": rewards[:, j] for j, o in enumerate(objectives)}
        frames.append(pd.DataFrame({"run": name, "seed": 0, "progress": progress, **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def draw_from(name: str, metrics: Any, width: float = style.PAGE, **tables: Any) -> Figure:
    module = import_module(f"moa.reporting.figures.{name}")
    return module.draw(metrics, **{key: tables[key] for key in module.NEEDS}, width=width)


def draw(name: str, width: float = style.PAGE, **case: Any) -> Figure:
    """A figure of made-up results, given what it says it needs."""
    metrics, scores = results(**{"k": objectives(name)} | case)
    seen = explored(metrics, sd=case.get("sd", 0.3))
    tables = {"scores": scores, "curves": training(metrics), "explored": seen}
    return draw_from(name, metrics, width, **tables)


def objectives(name: str) -> int:
    return constant(f"moa.reporting.figures.{name}", "OBJECTIVES", 2)


def legend_labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def note(figure: Figure) -> str:
    return figure.texts[-1].get_text().replace("\n", " ")
