"""The paper's ordering, claim by claim: held, reversed or open, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from moa.reporting.tables.common import (
    DASH,
    HEADLINE,
    TITLES,
    Table,
    marked_label,
    quoted,
    sample_note,
    shared_notes,
    title,
    units_note,
)

LEVEL = 0.05  # of all claims of a table together
COLUMNS = (
    *("run", "against", "metric", "paper_run", "paper_against", "difference", "low", "high"),
    *("seeds_in_favour", "seeds", "probability_of_improvement", "smallest_detectable"),
    *("p", "p_corrected", "verdict"),
)


def frame(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> pd.DataFrame:
    """One row per claim: two methods of which the paper gives different numbers, and a metric.

    difference: run - against, mean over seeds; low, high: its 95 % interval over seeds. In favour: on the
    paper's side. p_corrected: by Holm, over all claims of the task.
    """
    rows = []
    for pair in metrics["comparisons"]:
        names = pair["run"], pair["against"]
        for key in HEADLINE:
            ours, theirs = (quoted(paper, name, metrics["runs"][name], key) for name in names)
            if ours is None or theirs is None or ours == theirs:
                continue
            seeds = [run["seeds"] for run in (metrics["runs"][name] for name in names)]
            test, sign = pair[key]["over_seeds"], 1 if ours > theirs else -1
            apart = [seeds[0][seed][key] - seeds[1][seed][key] for seed in seeds[0]]
            rows.append(
                {
                    "run": names[0],
                    "against": names[1],
                    "metric": key,
                    "paper_run": ours,
                    "paper_against": theirs,
                    "difference": test["mean"],
                    "low": test["low"],
                    "high": test["high"],
                    "seeds_in_favour": sum(sign * d > 0 for d in apart),
                    "seeds": len(apart),
                    "probability_of_improvement": (
                        test["improvement"] if sign > 0 else 1 - test["improvement"]
                    ),
                    "smallest_detectable": test["detectable"],
                    "p": test["p"],
                }
            )
    corrected = holm([row["p"] for row in rows])
    for row, p in zip(rows, corrected, strict=True):
        expected = row["paper_run"] - row["paper_against"]
        row |= {"p_corrected": p, "verdict": verdict(row["difference"], p, expected)}
    return pd.DataFrame(rows, columns=list(COLUMNS))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Holm's correction: p of each of some claims that are tested together, None for None.

    The smallest is multiplied by their number, the next by one less, and so on; never smaller than the one
    before. Source: Holm 1979.
    """
    corrected: list[float | None] = [None] * len(values)
    known = sorted((p, i) for i, p in enumerate(values) if p is not None)
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[i] = largest
    return corrected


def verdict(difference: float, corrected: float | None, expected: float) -> str:
    """`held`, `reversed` or `open`. expected: above 0 if the claim is of a difference above 0."""
    if corrected is None or corrected >= LEVEL:
        return "open"
    return "held" if (difference > 0) == (expected > 0) else "reversed"


def table(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> Table:
    """The table to read, with what it is made of underneath."""
    found, runs = frame(metrics, paper), metrics["runs"]
    rows = []
    for row in found.to_dict("records"):
        first, second = (marked_label(runs[row[side]]) for side in ("run", "against"))
        above = row["paper_run"] > row["paper_against"]
        known = row["seeds"] > 1
        interval = f" [{row['low']:+z.3f}, {row['high']:+z.3f}]" if known else ""
        rows.append(
            [
                f"{first} {'above' if above else 'below'} {second}",
                TITLES[row["metric"]],
                f"{row['paper_against']:.2f} → {row['paper_run']:.2f}",
                f"{row['difference']:+z.3f}{interval}",
                f"{row['seeds_in_favour']} of {row['seeds']}",
                f"{row['probability_of_improvement']:.2f}",
                f"{row['smallest_detectable']:.3f}" if known else DASH,
                f"{row['p_corrected']:.3f}" if known else DASH,
                row["verdict"],
            ]
        )
    header = [
        *("Claim of the paper", "Metric", "paper", "Difference here", "Seeds in favour"),
        *("Probability", "Detectable", "p", "Verdict"),
    ]
    return Table(
        title(metrics, "the paper's claims"), header, rows, _notes(metrics, found), text_columns=2
    )


def _notes(metrics: Mapping[str, Any], found: pd.DataFrame) -> list[str]:
    counts = ", ".join(
        f"{(found['verdict'] == word).sum()} {word}" for word in ("held", "reversed", "open")
    )
    return [
        f"{len(found)} claims: {counts}. A claim is which of two methods has the larger number, as in the "
        "paper's table; a lower CRD is better.",
        f"{sample_note(metrics)} {units_note(metrics)}",
        "Difference: first method minus second, mean over seeds [95 % interval over seeds, Student's t]; "
        "runs of a seed share their SFT policy and their prompts. Probability: that the first method of "
        "one seed lies on the paper's side of the second of any seed. Detectable: the difference that so "
        "many seeds show in four of five cases, before correction. p: two-sided, corrected by Holm "
        f"for all claims of this table. Held, reversed: p below {LEVEL:g}, on the paper's side or on the "
        "other; open: else, and always for one seed.",
        *_matched(metrics),
        "What other prompts would change is in comparisons.md. The paper's numbers are of 7-8B models and "
        "other oracles: what is tested is their order.",
        *shared_notes(metrics),
    ]


def _matched(metrics: Mapping[str, Any]) -> list[str]:
    """Whether a larger hypervolume is one of moving further."""
    matched = metrics["matched_kl"]
    if not matched or not matched["difference"]:
        return []
    one, other = (metrics["runs"][name]["label"] for name in matched["between"])
    test = matched["difference"]
    interval = "" if test["low"] is None else f" [{test['low']:+z.3f}, {test['high']:+z.3f}]"
    return [
        f"At matched KL ({matched['kl']['mean']:.2f} nats per response; summary.md says how), the HV of "
        f"{one} minus that of {other} is {test['mean']:+z.3f}{interval}."
    ]
