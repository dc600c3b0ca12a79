"""Where the spread of HV, MIP and CRD comes from: training again, other prompts, sampling again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from moa.reporting.tables.common import (
    DASH,
    TITLES,
    Table,
    conditioned_runs,
    marked_label,
    sample_note,
    shared_notes,
    title,
    units_note,
)

PARTS = ("seeds", "prompts", "sampling")


def frame(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> pd.DataFrame:
    """One row per run and metric, all numbers as numbers: the csv. Standard deviations of one seed's
    number; empty where nothing tells them.
    """
    rows = [
        {"run": name, "metric": key, "mean": run[key]["mean"], **run["spread"][key]}
        for name, run in conditioned_runs(metrics).items()
        for key in TITLES
    ]
    return pd.DataFrame(rows, columns=["run", "metric", "mean", *PARTS])


def table(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> Table:
    """The table to read, with what it is made of underneath."""
    rows = []
    for run in conditioned_runs(metrics).values():
        row = [marked_label(run)]
        for key in TITLES:
            row += [f"{run[key]['mean']:z.3f}", *(_cell(run["spread"][key][p]) for p in PARTS)]
        rows.append(row)
    header = ["Method", *(cell for name in TITLES.values() for cell in (name, *PARTS))]
    return Table(title(metrics, "where the spread comes from"), header, rows, _notes(metrics))


def _cell(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _notes(metrics: Mapping[str, Any]) -> list[str]:
    again = metrics["repeated"]
    seen = (
        f"is seen on {again['prompts']} prompts that have {again['responses']} responses under every vector"
        if again
        else "is not seen, as every prompt has one response under a vector (generation.repeats)"
    )
    return [
        f"{sample_note(metrics)} {units_note(metrics)}",
        "Per metric its mean over seeds, and three standard deviations of one seed's number, whose squares "
        "add: what training again changes (seeds), what other test prompts change (prompts), and what "
        "other responses of the same policy to the same prompts change (sampling). The last "
        f"{seen}; it is taken out of the other two, and 0 where they are no larger. All three are "
        f"estimates from few seeds and responses, unsure by a tenth or two. {DASH}: nothing tells it.",
        *shared_notes(metrics),
    ]
