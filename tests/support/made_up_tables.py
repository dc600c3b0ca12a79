"""Made-up metrics, as tables read them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from moa.evaluation.comparisons import ordered_pairs
from moa.evaluation.runs import MEASURED
from moa.evaluation.seed_tests import paired
from support.made_up_figures import SIMILAR

OBJECTIVES = ("helpfulness", "harmlessness", "humor")
TABLES = ("verdict", "summary", "comparisons", "references", "spread")
PAPER = {
    "mi_epo": {"hv": 2.7, "mip": 1.01, "crd": 0.29},
    "mo_odpo": {"hv": 1.54, "mip": 0.82, "crd": 0.62},
    "ric": {"hv": 1.13, "mip": 0.58, "crd": 0.89},
}
SPREAD = [
    {"seeds": None, "prompts": 0.5, "sampling": 0.25},
    {"seeds": 0.7, "prompts": 0.5, "sampling": 0.25},
]
LEVEL = {"sft": 1.0, "ric": 2.0, "mo_odpo": 3.0, "mi_epo": 4.0, "mi_epo_strong": 5.0}
REFERENCES = ("0", "-1", "nadir - 10 %")


def spread(mean: float, seeds: int, half: float = 0.125) -> dict[str, Any]:
    std = 0.0625 if seeds > 1 else None
    return {"mean": mean, "seed_std": std, "low": mean - half, "high": mean + half}


def conditioned(name: str, level: float, k: int, seeds: int) -> dict[str, Any]:
    method = "mi_epo" if name == "mi_epo_strong" else name
    objectives = OBJECTIVES[:k]
    vectors = np.vstack([np.eye(k), np.full((1, k), 1 / k)]).tolist()
    seed = {"hv": 2 * level, "mip": level / 4, "crd": 1 / level}
    return {
        "method": method,
        "label": name.upper(),
        "beta_w": None,
        "betas": {"beta_c": 1.6},
        "nats_per_token": 0.0662,
        "vectors": vectors,
        "seeds": {str(s): {**seed, "points": vectors} for s in range(seeds)},
        **{key: spread(value, seeds) for key, value in seed.items()},
        "hv_by_reference": {r: spread(2 * level - i, seeds) for i, r in enumerate(REFERENCES)},
        "spread": {key: SPREAD[seeds > 1] for key in seed},
        "decodability": {"mean": 0.5, "seed_std": None, "low": None, "high": None},
        "kl": {"mean": 1.5, "seed_std": None, "low": None, "high": None},
        "kl_per_token": {"mean": 0.25, "seed_std": None, "low": None, "high": None},
        "control": {o: {"mean": 0.75, "seed_std": None} for o in objectives},
        "points": vectors,
        "health": {
            "empty": 0.0,
            "most_common": 0.1,
            "distinct": 0.5,
            "finished": 1.0,
            "tokens": 5.0,
        },
        "warnings": ["w has no visible effect: mean control 0.10"] if name == "sft" else [],
    }


def experts(k: int, seeds: int) -> dict[str, Any]:
    none = dict.fromkeys((*MEASURED, "control", "hv_by_reference", "spread"))
    return {
        **conditioned("rlhf", 1.0, k, seeds),
        **none,
        "label": "RLHF (single reward)",
        "vectors": np.eye(k).tolist(),
        "points": (3 * np.eye(k) - 1).tolist(),
        "seeds": {str(s): dict(none) for s in range(seeds)},
    }


def made_up(k: int = 2, seeds: int = 3, optimum: bool = True, **levels: float) -> dict[str, Any]:
    """Metrics whose differences all have the half-width 0.125, experts included."""
    levels = levels or LEVEL
    runs = {name: conditioned(name, level, k, seeds) for name, level in levels.items()}
    pairs = []
    for run, against in ordered_pairs(list(runs), ["mi_epo", "mo_odpo"]):
        pair: dict[str, Any] = {"run": run, "against": against}
        for key in ("hv", "mip", "crd"):
            d = runs[run][key]["mean"] - runs[against][key]["mean"]
            pair[key] = {
                "difference": d,
                "low": d - 0.125,
                "high": d + 0.125,
                "seed_std": 0.0625 if seeds > 1 else None,
                "seeds_above": seeds if d > 0 else 0,
                "seeds": seeds,
                "over_seeds": asdict(paired([d] * seeds, [0.0] * seeds)),
            }
        pairs.append(pair)
    return {
        "by": "oracles",
        "judged": None,
        "matched_kl": None,
        "repeated": {"responses": 4, "prompts": 16},
        "config": "c",
        "task": "t",
        "objectives": list(OBJECTIVES[:k]),
        "vectors": np.vstack([np.eye(k), np.full((1, k), 1 / k)]).tolist(),
        "prompts": 40,
        "similarity": SIMILAR,
        "reference": [-1] * k,
        "references": [
            {"name": "0", "point": [0.0] * k},
            {"name": "-1", "point": [-1.0] * k},
            {"name": "nadir - 10 %", "point": [-1.25, -1.5, -1.75][:k]},
        ],
        "sft_response": "chosen",
        "oracle_reports": {
            "helpfulness": {
                "heldout": {
                    "human": {"auc": 0.7, "n_labels": 10},
                    "pairs": {"pair_accuracy": 0.5, "n_pairs": 4},
                }
            }
        },
        "normalisation": {"mean": [0.0] * k, "std": [1.0] * k, "of": "the offline responses"},
        "optimum": {"hv": 16.0, "mip": 2.0, "points": [], "front": []} if optimum else None,
        "comparisons": pairs,
        "runs": {"rlhf": experts(k, seeds), **runs},
    }


def cells(markdown: str) -> list[list[str]]:
    """Header and rows of a markdown table."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
