"""The numbers of one run: per seed, their mean over seeds, intervals over prompts, warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from moa.evaluation.bootstrap import (
    TAILS,
    Statistic,
    hypervolumes,
    over_seeds,
    resampled_dispersion,
    resampled_points,
)
from moa.evaluation.spread import Spread, split
from moa.metrics import (
    conditional_reward_dispersion,
    control,
    decodability,
    divergence,
    hypervolume,
    mean_inner_product,
)

COLLAPSED_SHARE = 0.5  # of responses empty, or equal to one single response
SAME_POLICY = 1e-3  # nats that rounding may make of a response's log-probability under another w
MEASURED = ("hv", "mip", "crd", "decodability", "kl", "kl_per_token")


@dataclass(frozen=True)
class RunScores:
    """What a run's responses were worth.

    label: what people call it. conditioned: one policy that is told w, not one expert per objective.
    betas: as its training got them. nats_per_token: what they allow (moa/workflow/similarity.py).
    vectors: (M, k), those at which this run was evaluated. rewards: seed -> (M, P, k), normalised.
    likelihoods: seed -> (P', M, M), if conditioned; references: seed -> (P', M, 2), the log-probability of
    the same responses under the SFT policy, and their tokens; both empty if there is no policy to ask.
    responses: the score rows. repeats: seed -> (N, M, P', k), all responses to the first P' prompts,
    normalised; empty if each has one.
    """

    name: str
    label: str
    method: str
    conditioned: bool
    beta_w: float | None
    betas: Mapping[str, float]
    nats_per_token: float | None
    vectors: np.ndarray
    rewards: Mapping[int, np.ndarray]
    likelihoods: Mapping[int, np.ndarray]
    references: Mapping[int, np.ndarray]
    responses: pd.DataFrame
    repeats: Mapping[int, np.ndarray] = field(default_factory=dict)

    @property
    def points(self) -> np.ndarray:
        """Mean reward per vector, over prompts and seeds: (M, k)."""
        return np.mean([self.rewards[s].mean(axis=1) for s in sorted(self.rewards)], axis=0)


@dataclass(frozen=True)
class Estimates:
    """A run's resampled statistics: hv, mip and crd, and the hypervolume above every reference. spread:
    where that of hv, mip and crd comes from.
    """

    headline: Mapping[str, Statistic]
    hv_by_reference: Mapping[str, Statistic]
    spread: Mapping[str, Spread]


def estimate(
    run: RunScores, references: Mapping[str, np.ndarray], headline: str, counts: np.ndarray
) -> Estimates:
    """HV, MIP and CRD of a run, observed and under every resample of prompts.

    references: name -> (k,), among them `headline`. counts: (R, P).
    """
    tables = [run.rewards[seed] for seed in sorted(run.rewards)]
    observed = [table.mean(axis=1) for table in tables]
    resampled = [resampled_points(table, counts) for table in tables]
    hv = {
        name: _statistic(
            [hypervolume(points, point) for points in observed],
            [hypervolumes(points, point) for points in resampled],
        )
        for name, point in references.items()
    }
    mip = _statistic(
        [mean_inner_product(run.vectors, points) for points in observed],
        [(points * run.vectors).sum(axis=2).mean(axis=1) for points in resampled],
    )
    crd = _statistic(
        [conditional_reward_dispersion(list(table)) for table in tables],
        [resampled_dispersion(table, counts) for table in tables],
    )
    found = {"hv": hv[headline], "mip": mip, "crd": crd}
    measures = {
        "hv": lambda table: hypervolume(table.mean(axis=1), references[headline]),
        "mip": lambda table: mean_inner_product(run.vectors, table.mean(axis=1)),
        "crd": lambda table: conditional_reward_dispersion(list(table)),
    }
    spread = {
        name: split(found[name], measure, run.rewards, run.repeats)
        for name, measure in measures.items()
    }
    return Estimates(found, hv, spread)


def _statistic(observed: Sequence[float], resampled: Sequence[np.ndarray]) -> Statistic:
    """From one number and one array (R,) per seed."""
    return Statistic(np.array(observed), np.stack(resampled, axis=1))


def summarise(
    run: RunScores, estimates: Estimates | None, objectives: Sequence[str], counts: np.ndarray
) -> dict[str, Any]:
    """A run's entry of metrics.json. Without estimates (the experts), its metrics are None."""
    seeds: dict[str, dict[str, Any]] = {}
    for i, seed in enumerate(sorted(run.rewards)):
        points = run.rewards[seed].mean(axis=1)
        seeds[str(seed)] = {"points": points.tolist()} | dict.fromkeys((*MEASURED, "control"))
        if estimates:
            seeds[str(seed)] |= {
                **{key: float(s.observed[i]) for key, s in estimates.headline.items()},
                "control": dict(
                    zip(objectives, control(run.vectors, points).tolist(), strict=True)
                ),
            }
        if estimates and run.likelihoods:
            seeds[str(seed)] |= {
                "decodability": decodability(run.likelihoods[seed]),
                **_moved(run.likelihoods[seed], run.references[seed]),
            }
    means = np.mean([run.rewards[seed] for seed in sorted(run.rewards)], axis=0)
    low, high = np.quantile(resampled_points(means, counts), TAILS, axis=0)
    health = response_health(run.responses)
    summary: dict[str, Any] = {
        "method": run.method,
        "label": run.label,
        "beta_w": run.beta_w,
        "betas": dict(run.betas),
        "nats_per_token": run.nats_per_token,
        "vectors": run.vectors.tolist(),
        "seeds": seeds,
        **dict.fromkeys((*MEASURED, "hv_by_reference", "control", "spread")),
        "points": run.points.tolist(),
        "points_low": low.tolist(),
        "points_high": high.tolist(),
        "health": health,
    }
    if estimates:
        summary |= {key: s.summary() for key, s in estimates.headline.items()}
        summary["hv_by_reference"] = {
            name: s.summary() for name, s in estimates.hv_by_reference.items()
        }
        summary["spread"] = {key: asdict(parts) for key, parts in estimates.spread.items()}
        for key in ("decodability", "kl", "kl_per_token") if run.likelihoods else ():
            summary[key] = over_seeds([s[key] for s in seeds.values()])
        summary["control"] = {
            o: over_seeds([s["control"][o] for s in seeds.values()]) for o in objectives
        }
    unmoved = unmoved_objectives(run.vectors, low, high, objectives) if estimates else []
    found = [*same_policy(run.likelihoods), *warnings(health, unmoved)]
    return summary | {"warnings": found}


def _moved(likelihoods: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """likelihoods: (P, M, M). reference: (P, M, 2)."""
    own = np.diagonal(likelihoods, axis1=1, axis2=2)
    nats, per_token = divergence(own, reference[:, :, 0], reference[:, :, 1])
    return {"kl": nats, "kl_per_token": per_token}


def same_policy(likelihoods: Mapping[int, np.ndarray]) -> list[str]:
    """A warning if w changes nothing: neither the prompt nor the weights of what answers.

    likelihoods: seed -> (P, M, M), log p(response under vector i | vector j). Responses would not tell,
    since those under other vectors are drawn with other random numbers.
    """
    shifts = [
        np.abs(table - np.diagonal(table, 0, 1, 2)[:, :, None]) for table in likelihoods.values()
    ]
    if not shifts or (most := max(float(shift.max()) for shift in shifts)) > SAME_POLICY:
        return []
    return [
        f"one and the same policy under every w: log-probabilities differ by {most:.0e} nats at most"
    ]


def response_health(scores: pd.DataFrame) -> dict[str, Any]:
    """Shares of responses that are empty, that equal the most common one, that are different texts, and
    that finished; and their mean length in tokens. The last two are None where no response tells.
    """
    text = scores["response"]
    return {
        "empty": float((text == "").mean()),
        "most_common": float(text.value_counts(normalize=True).iloc[0]),
        "distinct": float(text.nunique() / len(text)),
        **{key: _mean(scores[key]) for key in ("finished", "tokens")},
    }


def _mean(values: pd.Series) -> float | None:
    return None if values.isna().all() else float(values.mean())


def unmoved_objectives(
    vectors: np.ndarray, low: np.ndarray, high: np.ndarray, objectives: Sequence[str]
) -> list[str]:
    """The objectives whose reward w is not seen to move: at its largest weight it is not above what it is
    at its smallest, the intervals over prompts apart. Of several vectors with that weight, the mean counts.

    vectors: (M, k). low, high: (M, k) bounds of the mean rewards.
    """
    unmoved = []
    for k, name in enumerate(objectives):
        weights = vectors[:, k]
        most, least = weights == weights.max(), weights == weights.min()
        if not low[most, k].mean() > high[least, k].mean():
            unmoved.append(name)
    return unmoved


def warnings(health: Mapping[str, float], unmoved: Sequence[str]) -> list[str]:
    """What a reader must know before believing a row of the table."""
    found = []
    if health["empty"] > COLLAPSED_SHARE:
        found.append(f"collapsed: {health['empty']:.0%} of the responses are empty")
    elif health["most_common"] > COLLAPSED_SHARE:
        found.append(f"collapsed: {health['most_common']:.0%} of the responses are identical")
    if unmoved:
        found.append(
            f"w has no visible effect on {', '.join(unmoved)}: the intervals of the mean reward at the "
            "largest and the smallest weight are not apart"
        )
    return found
