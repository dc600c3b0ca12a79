"""Paired differences between runs, and whether they go the way of the paper's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from moa.reporting.tables.common import (
    DASH,
    HEADLINE,
    TITLES,
    Table,
    estimate,
    marked_label,
    quoted,
    sample_note,
    shared_notes,
    title,
    units_note,
)

COLUMNS = (
    *("run", "against", "metric", "difference", "low", "high", "seed_std"),
    *("seeds_in_favour", "seeds", "paper_run", "paper_against", "agrees"),
)


def frame(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> pd.DataFrame:
    """One row per pair of runs and metric, all numbers as numbers: the csv.

    difference: run - against. seeds_in_favour: those where `run` is the better one. agrees: yes,
    no or open (see `agreement`); empty where the paper has no number for one of the two.
    """
    rows = []
    for pair in metrics["comparisons"]:
        names = pair["run"], pair["against"]
        for key in HEADLINE:
            d = pair[key]
            quotes = tuple(quoted(paper, name, metrics["runs"][name], key) for name in names)
            rows.append(
                {
                    "run": names[0],
                    "against": names[1],
                    "metric": key,
                    "difference": d["difference"],
                    "low": d["low"],
                    "high": d["high"],
                    "seed_std": d["seed_std"],
                    "seeds_in_favour": _seeds_in_favour(metrics, *names, key),
                    "seeds": d["seeds"],
                    "paper_run": quotes[0],
                    "paper_against": quotes[1],
                    "agrees": agreement(d["low"], d["high"], *quotes),
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def agreement(low: float, high: float, run: float | None, against: float | None) -> str | None:
    """Whether the interval [low, high] of run - against lies on the side of the paper's numbers.

    "yes": it excludes 0 on the paper's side; "no": on the other side; "open": it holds 0. None if
    the paper lacks one of the two numbers, or gives both the same.
    """
    if run is None or against is None or run == against:
        return None
    if low <= 0 <= high:
        return "open"
    return "yes" if (low > 0) == (run > against) else "no"


def _seeds_in_favour(metrics: Mapping[str, Any], run: str, against: str, key: str) -> int:
    # Counted anew: for CRD lower is better, and a tie is in nobody's favour.
    sign = -1 if key == "crd" else 1
    ours, theirs = (metrics["runs"][name]["seeds"] for name in (run, against))
    return sum(sign * (ours[seed][key] - theirs[seed][key]) > 0 for seed in ours)


def table(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> Table:
    """The table to read, with what it is made of underneath."""
    rows = []
    for record in frame(metrics, paper).astype(object).to_dict("records"):
        row = {str(key): None if pd.isna(value) else value for key, value in record.items()}
        first, second = (marked_label(metrics["runs"][record[side]]) for side in ("run", "against"))
        rows.append(
            [
                f"{first} − {second}",
                TITLES[record["metric"]],
                estimate(row, mean="difference", form="+z.3f"),
                f"{record['seeds_in_favour']} of {record['seeds']}",
            ]
        )
        if paper:
            rows[-1] += [_order(row["paper_run"], row["paper_against"]), row["agrees"] or DASH]
    header = ["Runs", "Metric", "Difference", "Seeds in favour", *["paper", "Agrees"] * bool(paper)]
    return Table(
        title(metrics, "paired differences"), header, rows, _notes(metrics, paper), text_columns=2
    )


def _order(run: float | None, against: float | None) -> str:
    if run is None or against is None:
        return DASH
    return f"{run:.2f} {'>' if run > against else '<' if run < against else '='} {against:.2f}"


def _notes(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> list[str]:
    start = ", and policies of one seed start from the same SFT policy" * bool(
        metrics["sft_response"]
    )
    quoted_note = (
        "paper: its numbers of the two methods, from 7-8B models and other oracles. Agrees: yes if "
        "our interval excludes 0 on the paper's side, no if it excludes 0 on the other side, open "
        "if it holds 0."
    )
    return [
        f"{sample_note(metrics)} {units_note(metrics)}",
        "Difference: first run minus second, mean over seeds [95 % bootstrap interval over prompts] "
        f"± standard deviation over seeds. It is paired: one draw of prompts serves both runs{start}. The "
        "interval says what other prompts would change; what training again would change, only the seeds "
        "say. Seeds in favour: where the first run is the better one (HV and MIP higher, CRD lower). No "
        "correction is made for the number of comparisons.",
        *[quoted_note] * bool(paper),
        *shared_notes(metrics),
    ]
