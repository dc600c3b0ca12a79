"""Hypervolume at matched KL: what a front is worth at the distance from SFT that another run has.

A method that moves further from the SFT policy reaches further, and is not better for that alone. Near
SFT a policy tilted by t has a KL divergence of order t^2 and rewards moved by order t, so on its way from
SFT

    points(KL) = points_SFT + (points - points_SFT) sqrt(KL / KL_run)

Further out rewards saturate, and this lies below what the method would reach at that KL: it is in favour
of the run that moved less. Runs at several beta_c measure what is estimated here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from moa.evaluation.bootstrap import over_seeds
from moa.evaluation.seed_tests import paired
from moa.metrics import hypervolume


def match(
    runs: Mapping[str, Mapping[str, Any]],
    start: str | None,
    between: Sequence[str],
    reference: np.ndarray,
) -> dict[str, Any] | None:
    """HV of every run at the smaller KL of two runs, seed by seed; None without the two, or without SFT.

    runs: summaries by name, as `summarise` makes them. start: the run of the SFT policy. between: the
    two. reference: (k,). Returns: `kl` over seeds, in nats per response; `hv` by run, over seeds, None of
    a run that moved less in some seed, since nothing is extrapolated, and of one whose KL nothing tells;
    `difference`, the first of the two minus the second, over seeds.
    """
    if start is None or len(between) < 2 or any(name not in runs for name in (start, *between)):
        return None
    first = runs[start]["seeds"]
    seeds = list(first)
    kl = [min(runs[name]["seeds"][seed]["kl"] for name in between) for seed in seeds]
    found: dict[str, list[float]] = {}
    for name, run in runs.items():
        own = [run["seeds"][seed] for seed in seeds]
        unknown = any(seed["kl"] is None for seed in own)
        if run["hv"] is None or unknown or name == start:
            continue
        if all(0 < matched <= seed["kl"] for seed, matched in zip(own, kl, strict=True)):
            found[name] = [
                hypervolume(
                    moved_back(first[at]["points"], seed["points"], seed["kl"], matched),
                    reference,
                )
                for at, seed, matched in zip(seeds, own, kl, strict=True)
            ]
    one, other = between[:2]
    both = one in found and other in found
    return {
        "between": [one, other],
        "kl": over_seeds(kl),
        "hv": {name: over_seeds(found[name]) if name in found else None for name in runs},
        "difference": asdict(paired(found[one], found[other])) if both else None,
    }


def moved_back(start: Any, points: Any, kl: float, matched: float) -> np.ndarray:
    """Points (M, k) on the way from those of SFT, `start` (M, k), where the KL is `matched`, in nats."""
    first, last = np.asarray(start, dtype=np.float64), np.asarray(points, dtype=np.float64)
    return first + (last - first) * (matched / kl) ** 0.5
