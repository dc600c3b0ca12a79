"""Hypervolume above every reference point, and the order of the runs under each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from moa.reporting.tables.common import (
    Table,
    conditioned_runs,
    estimate,
    hypervolume_unit,
    marked_label,
    sample_note,
    shared_notes,
    title,
)


def frame(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> pd.DataFrame:
    """One row per run and reference point, all numbers as numbers: the csv.

    rank: 1 is the largest hypervolume under that reference; equal ones share the better rank.
    """
    runs = conditioned_runs(metrics)
    points = [f"reference_{objective}" for objective in metrics["objectives"]]
    columns = ["run", "reference", *points, "hv", "low", "high", "seed_std", "rank"]
    rows = []
    for reference in metrics["references"]:
        ranks = _ranks(metrics, reference["name"])
        for name, run in runs.items():
            hv = run["hv_by_reference"][reference["name"]]
            numbers = (hv[key] for key in ("mean", "low", "high", "seed_std"))
            rows.append(
                [name, reference["name"], *map(float, reference["point"]), *numbers, ranks[name]]
            )
    return pd.DataFrame(rows, columns=columns)


def _ranks(metrics: Mapping[str, Any], reference: str) -> dict[str, int]:
    values = {
        name: run["hv_by_reference"][reference]["mean"]
        for name, run in conditioned_runs(metrics).items()
    }
    return {name: 1 + sum(v > mine for v in values.values()) for name, mine in values.items()}


def _order(metrics: Mapping[str, Any], reference: str) -> str:
    """The runs from the largest hypervolume down: `A > B = C`."""
    ranks = _ranks(metrics, reference)
    names = sorted(ranks, key=lambda name: ranks[name])
    text = ""
    for before, name in zip([None, *names], names, strict=False):
        if before is not None:
            text += " = " if ranks[name] == ranks[before] else " > "
        text += metrics["runs"][name]["label"]
    return text


def table(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> Table:
    """The table to read, with what it is made of underneath."""
    names = [reference["name"] for reference in metrics["references"]]
    ranks = {name: _ranks(metrics, name) for name in names}
    rows = [
        [
            marked_label(run),
            *(f"{estimate(run['hv_by_reference'][r])} ({ranks[r][name]})" for r in names),
        ]
        for name, run in conditioned_runs(metrics).items()
    ]
    header = ["Method", *(f"above {name}" for name in names)]
    return Table(title(metrics, "hypervolume by reference point"), header, rows, _notes(metrics))


def _notes(metrics: Mapping[str, Any]) -> list[str]:
    nadir = metrics["references"][-1]
    point = ", ".join(f"{value:.2f}" for value in nadir["point"])
    return [
        f"{sample_note(metrics)} Unit: {hypervolume_unit(metrics)}. Columns: the reference point, the "
        "same number for every objective; "
        f"{nadir['name']}: ({point}), per objective the lowest mean point of all runs and vectors, "
        "minus 10 % of the range of these points. Cells: mean over seeds [95 % bootstrap interval "
        "over prompts] ± standard deviation over seeds (rank; 1 is the largest). Compare within a "
        "column: another reference is another volume.",
        _verdict(metrics),
        *shared_notes(metrics),
    ]


def _verdict(metrics: Mapping[str, Any]) -> str:
    orders = {r["name"]: _order(metrics, r["name"]) for r in metrics["references"]}
    if len(set(orders.values())) == 1:
        return f"The order is the same under every reference: {next(iter(orders.values()))}."
    listed = "; ".join(f"{name}: {order}" for name, order in orders.items())
    return f"The order depends on the reference. {listed}."
