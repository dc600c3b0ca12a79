"""What runs are compared under and with: reference points of the hypervolume, and paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from moa.evaluation.bootstrap import Statistic
from moa.evaluation.seed_tests import paired

NADIR = "nadir - 10 %"


def reference_points(
    reference: float, sensitivity: Iterable[float], points: np.ndarray
) -> dict[str, np.ndarray]:
    """Every reference point (k,) by its name: the config's numbers, then the nadir of `points`.

    points: (n, k), the mean points of all runs and vectors. The nadir is their minimum per
    objective, minus 10 % of their range, so that extreme points keep a volume of their own.
    """
    numbers = {reference_name(r): float(r) for r in sensitivity}
    if reference_name(reference) not in numbers:
        numbers = {reference_name(reference): float(reference), **numbers}
    lowest, highest = points.min(axis=0), points.max(axis=0)
    fixed = {name: np.full(points.shape[1], value) for name, value in numbers.items()}
    return {**fixed, NADIR: lowest - 0.1 * (highest - lowest)}


def reference_name(reference: float) -> str:
    """What a reference point is called: its number, `-0.5`."""
    return f"{reference:g}"


def ordered_pairs(names: Sequence[str], first: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Every pair of runs once, as (run, against); those of `first` stand before all others."""
    ahead = [name for name in first if name in names]
    return list(combinations([*ahead, *(name for name in names if name not in ahead)], 2))


def compare(
    headlines: Mapping[str, Mapping[str, Statistic]], first: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Paired differences of all pairs of runs. headlines: run -> {"hv", "mip", "crd"}.

    first: runs that stand on the left of their differences.
    """
    return [
        {
            "run": run,
            "against": against,
            **{
                key: difference(statistic, headlines[against][key])
                for key, statistic in headlines[run].items()
            },
        }
        for run, against in ordered_pairs(list(headlines), first)
    ]


def difference(run: Statistic, against: Statistic) -> dict[str, Any]:
    """run - against: mean, 95 % interval over prompts, spread and sign over seeds; and under `over_seeds`
    what training again could change.
    """
    apart = run - against
    summary = apart.summary()
    return {
        "difference": summary["mean"],
        "low": summary["low"],
        "high": summary["high"],
        "seed_std": summary["seed_std"],
        "seeds_above": int((apart.observed > 0).sum()),
        "seeds": len(apart.observed),
        "over_seeds": asdict(paired(run.observed, against.observed)),
    }
