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
    quoted,
    sample_note,
    shared_notes,
    to_latex,
    to_markdown,
    units_note,
)

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
        row["decodability_nats"] = run["decodability"]["mean"]
        row["kl_nats"] = run["kl"]["mean"]
        row["kl_nats_per_token"] = run["kl_per_token"]["mean"]
        row["response_tokens"] = run["health"]["tokens"]
        row["distinct_share"] = run["health"]["distinct"]
        row["empty_share"] = run["health"]["empty"]
        row["finished_share"] = run["health"]["finished"]
        row["warnings"] = "; ".join(run["warnings"])
        rows.append(row)
    return pd.DataFrame(rows)


def markdown(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> str:
    """The table to read, with what it is made of underneath."""
    return to_markdown(_table(metrics, paper))


def latex(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> str:
    """The same as a booktabs table."""
    return to_latex(_table(metrics, paper))


def _table(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> Table:
    optimum = metrics["optimum"] or {}
    header = ["Method"]
    for key in HEADLINE:
        header += [TITLES[key], *["% of optimum"] * (key in optimum), "paper"]
    rows = []
    for name, run in conditioned_runs(metrics).items():
        row = [marked_label(run)]
        for key in HEADLINE:
            row.append(estimate(run[key]))
            if key in optimum:
                percent = _percent(run[key]["mean"], optimum[key])
                row.append(DASH if percent is None else f"{percent:.1f}")
            number = quoted(paper, name, run, key)
            row.append(DASH if number is None else f"{number:.2f}")
        row.append(" / ".join(f"{c['mean']:z.2f}" for c in run["control"].values()))
        health = run["health"]
        row.append(f"{run['decodability']['mean']:.2f}")
        row.append(f"{run['kl']['mean']:z.2f} / {run['kl_per_token']['mean']:z.3f}")
        row.append(f"{health['tokens']:.1f}")
        row.append(f"{100 * health['finished']:.0f} / {100 * health['distinct']:.0f}")
        rows.append(row)
    title = f"{metrics['config']} / {metrics['task']}"
    return Table(title, [*header, *BESIDE], rows, _notes(metrics))


def _percent(value: float, optimum: float) -> float | None:
    """Per cent of an optimum above 0; of any other there are none, as more of it would not be better."""
    return 100 * value / optimum if optimum > 0 else None


def _notes(metrics: Mapping[str, Any]) -> list[str]:
    notes = [
        f"{sample_note(metrics)} {units_note(metrics)} Mean over seeds [95 % bootstrap interval over "
        "prompts, centred on the estimate] ± standard deviation over seeds. Control: Spearman "
        "correlation of weight and mean reward, per objective "
        f"({', '.join(metrics['objectives'])}). Decodability: lower bound of I(Y;W|X) in nats. "
        "KL: mean log-ratio of the sampled responses to the SFT policy under the same w. Tokens: of a mean "
        "response; finished: those that the policy ended itself; distinct: different texts among all. "
        f"SFT responses: {metrics['sft_response']}. The paper's numbers come from "
        "7-8B models and other oracles: they show its ordering, not a target.",
    ]
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
