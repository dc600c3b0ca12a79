"""The summary table of a task: HV, MIP, CRD with intervals, beside the paper's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from moa.reporting.tables.common import (
    DASH,
    HEADLINE,
    TITLES,
    Table,
    conditioned_runs,
    estimate,
    marked_label,
    mean_of,
    number,
    quoted,
    sample_note,
    shared_notes,
    title,
    units_note,
)

GAPS = ("hv", "mip")
GAP = {"": "mean", "_low": "low", "_high": "high"}
BESIDE = ("Control", "Decodability", "KL, nats / per token", "Tokens", "Finished / distinct, %")


def frame(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> pd.DataFrame:
    """One row per run, all numbers as numbers: the csv.

    Per headline metric: mean over seeds, 95 % interval over prompts, standard deviation over
    seeds, per cent of the enumerated optimum (HV and MIP, where there is one above 0), the paper's number.
    """
    optimum = metrics["optimum"] or {}
    rows = []
    for name, run in conditioned_runs(metrics).items():
        row: dict[str, Any] = {
            "run": name,
            "method": run["label"],
            "seeds": len(run["seeds"]),
            "prompts": metrics["prompts"],
        }
        for key in HEADLINE:
            row[key] = run[key]["mean"]
            row[f"{key}_low"], row[f"{key}_high"] = run[key]["low"], run[key]["high"]
            row[f"{key}_seed_std"] = run[key]["seed_std"]
            if key in optimum:
                row[f"{key}_percent_of_optimum"] = _percent(run[key]["mean"], optimum[key])
            row[f"{key}_paper"] = quoted(paper, name, run, key)
        for objective, control in run["control"].items():
            row[f"control_{objective}"] = control["mean"]
        row["decodability_nats"] = mean_of(run["decodability"])
        row["kl_nats"] = mean_of(run["kl"])
        row["kl_nats_per_token"] = mean_of(run["kl_per_token"])
        if matched := metrics["matched_kl"]:
            row["hv_at_matched_kl"] = mean_of(matched["hv"].get(name))
        if gap := metrics.get("gaps", {}).get(name):
            for key in HEADLINE:
                row |= {f"gap_{key}{end}": gap[key][of] for end, of in GAP.items()}
        row["response_tokens"] = run["health"]["tokens"]
        row["distinct_share"] = run["health"]["distinct"]
        row["empty_share"] = run["health"]["empty"]
        row["finished_share"] = run["health"]["finished"]
        row["warnings"] = "; ".join(run["warnings"])
        rows.append(row)
    return pd.DataFrame(rows)


def table(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> Table:
    """The table to read, with what it is made of underneath."""
    optimum = metrics["optimum"] or {}
    header = ["Method"]
    for key in HEADLINE:
        header += [TITLES[key], *["% of optimum"] * (key in optimum), *["paper"] * bool(paper)]
    rows = []
    further = ["HV at matched KL"] * bool(metrics["matched_kl"])
    further += [f"Gap in {HEADLINE[key]}" for key in GAPS] * ("gaps" in metrics)
    for name, run in conditioned_runs(metrics).items():
        row = [marked_label(run)]
        for key in HEADLINE:
            row.append(estimate(run[key]))
            if key in optimum:
                row.append(number(_percent(run[key]["mean"], optimum[key]), ".1f"))
            row += [number(quoted(paper, name, run, key), ".2f")] * bool(paper)
        if matched := metrics["matched_kl"]:
            row.append(number(mean_of(matched["hv"].get(name)), ".2f"))
        if gap := metrics.get("gaps", {}).get(name):
            row += [estimate({**gap[key], "seed_std": None}, form="+z.2f") for key in GAPS]
        health = run["health"]
        row.append(" / ".join(f"{c['mean']:z.2f}" for c in run["control"].values()))
        row.append(number(mean_of(run["decodability"]), ".2f"))
        row.append(
            f"{number(mean_of(run['kl']), 'z.2f')} / {number(mean_of(run['kl_per_token']), 'z.3f')}"
        )
        row.append(number(health["tokens"], ".1f"))
        row.append(
            f"{number(health['finished'], '.0%').rstrip('%')} / {100 * health['distinct']:.0f}"
        )
        rows.append(row)
    return Table(title(metrics), [*header, *further, *BESIDE], rows, _notes(metrics, paper))


def _percent(value: float, optimum: float) -> float | None:
    """Per cent of an optimum above 0; of any other there are none, as more of it would not be better."""
    return 100 * value / optimum if optimum > 0 else None


def _notes(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> list[str]:
    notes = [
        f"{sample_note(metrics)} {units_note(metrics)} Mean over seeds [95 % bootstrap interval over "
        "prompts, centred on the estimate] ± standard deviation over seeds. Control: Spearman "
        "correlation of weight and mean reward, per objective "
        f"({', '.join(metrics['objectives'])}). Decodability: lower bound of I(Y;W|X) in nats. "
        "KL: mean log-ratio of the sampled responses to the SFT policy under the same w. Tokens: of a mean "
        "response; finished: those that the policy ended itself; distinct: different texts among all.",
    ]
    if metrics["sft_response"]:
        notes[0] += f" SFT responses: {metrics['sft_response']}."
    if paper:
        notes[0] += (
            " The paper's numbers come from 7-8B models and other oracles: they show its ordering, not a "
            "target."
        )
    if any(run["kl"] is None for run in conditioned_runs(metrics).values()):
        notes.append(
            f"{DASH}: of responses out of a file nothing tells how probable they are, how many tokens they "
            "have, and whether they were finished."
        )
    if matched := metrics["matched_kl"]:
        one, other = (metrics["runs"][name]["label"] for name in matched["between"])
        notes.append(
            "HV at matched KL: of the front moved back towards SFT's until its KL is the smaller of those "
            f"of {one} and {other} ({matched['kl']['mean']:.2f} nats), as rewards go with the square root "
            "of KL near SFT; it favours a run that moved less. None for SFT, and for runs that moved less."
        )
    if "gaps" in metrics:
        notes.append(
            "Gap: what was gained over SFT by the oracles, minus what was gained by the judges (without an "
            "SFT run: the numbers themselves), mean [95 % bootstrap interval over prompts]. Each is "
            "normalised by its own deviation on the same responses, so a judge that sees less of what is "
            "good shows a gap as well; over-optimisation is a gap that grows with KL while the judges' "
            "number falls."
        )
    if metrics["optimum"]:
        notes.append(
            f"Enumerated optimum: HV {metrics['optimum']['hv']:.3f} (convex hull of all policies, an "
            f"upper bound for any set of points), MIP {metrics['optimum']['mip']:.3f}."
        )
    experts = [run for run in metrics["runs"].values() if run["hv"] is None]
    return [*notes, *(_experts_note(run, metrics) for run in experts), *shared_notes(metrics)]


def _experts_note(run: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """What stands in for a row of the experts: each one's mean reward in every objective."""
    rewards = "; ".join(
        f"{metrics['objectives'][vector.index(max(vector))]} expert "
        + " / ".join(f"{reward:.2f}" for reward in point)
        for vector, point in zip(run["vectors"], run["points"], strict=True)
    )
    return (
        f"{run['label']}: one expert per objective, each trained on that reward alone. They read no "
        "w, so they have no HV, MIP, CRD, control or decodability. Their mean rewards "
        f"({' / '.join(metrics['objectives'])}): {rewards}."
    )
