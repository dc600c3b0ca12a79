"""The summary table of a task: HV, MIP, CRD with intervals, beside the paper's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

HEADLINE = {"hv": "HV", "mip": "MIP", "crd": "CRD"}
BETTER = {"hv": "higher", "mip": "higher", "crd": "lower"}
ARROWS = {"higher": "↑", "lower": "↓"}


def summary_frame(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> pd.DataFrame:
    """One row per run, all numbers as numbers: the csv.

    Per headline metric: mean over seeds, 95 % interval over prompts, standard deviation over
    seeds, per cent of the enumerated optimum (HV and MIP, where there is one), the paper's number.
    """
    optimum = metrics["optimum"] or {}
    rows = []
    for name, run in metrics["runs"].items():
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
                row[f"{key}_percent_of_optimum"] = 100 * run[key]["mean"] / optimum[key]
            row[f"{key}_paper"] = (
                paper.get(run["method"], {}).get(key) if _plain(name, run) else None
            )
        for objective, control in run["control"].items():
            row[f"control_{objective}"] = control["mean"]
        row["decodability_nats"] = run["decodability"]["mean"]
        row["empty_share"], row["finished_share"] = (
            run["health"]["empty"],
            run["health"]["finished"],
        )
        row["warnings"] = "; ".join(run["warnings"])
        rows.append(row)
    return pd.DataFrame(rows)


def summary_markdown(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> str:
    """The table to read, with what it is made of underneath."""
    header, rows = _cells(metrics, paper, "–")
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return (
        "\n".join([f"# {metrics['config']} / {metrics['task']}", "", *lines, "", *_notes(metrics)])
        + "\n"
    )


def summary_latex(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> str:
    """The same as a booktabs table."""
    header, rows = _cells(metrics, paper, "--")
    body = [" & ".join(map(_escape, row)) + r" \\" for row in rows]
    return "\n".join(
        [
            f"% {metrics['config']} / {metrics['task']}; needs \\usepackage{{booktabs}}",
            r"\begin{tabular}{l" + "r" * (len(header) - 1) + "}",
            r"\toprule",
            " & ".join(map(_escape, header)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *[f"% {line}" for line in _notes(metrics) if line],
            "",
        ]
    )


def _cells(
    metrics: Mapping[str, Any], paper: Mapping[str, Any], dash: str
) -> tuple[list[str], list[list[str]]]:
    optimum = metrics["optimum"] or {}
    header = ["Method"]
    for key, title in HEADLINE.items():
        header.append(f"{title} {ARROWS[BETTER[key]]}")
        if key in optimum:
            header.append("% of optimum")
        header.append("paper")
    header += ["Control", "Decodability"]
    rows = []
    for name, run in metrics["runs"].items():
        row = [run["label"] + (" (!)" if run["warnings"] else "")]
        for key in HEADLINE:
            row.append(_estimate(run[key], dash))
            if key in optimum:
                row.append(f"{100 * run[key]['mean'] / optimum[key]:.1f}")
            quoted = paper.get(run["method"], {}).get(key) if _plain(name, run) else None
            row.append(dash if quoted is None else f"{quoted:.2f}")
        row.append(" / ".join(f"{c['mean']:.2f}" for c in run["control"].values()))
        row.append(f"{run['decodability']['mean']:.2f}")
        rows.append(row)
    return header, rows


def _estimate(value: Mapping[str, Any], dash: str) -> str:
    spread = "" if value["seed_std"] is None else f" ± {value['seed_std']:.2f}"
    return f"{value['mean']:.2f} [{value['low']:.2f}, {value['high']:.2f}]{spread}"


def _plain(name: str, run: Mapping[str, Any]) -> bool:
    """Only a method's plain run stands beside the paper's number, not a variant of it."""
    return name == run["method"]


def _notes(metrics: Mapping[str, Any]) -> list[str]:
    vectors, seeds = (
        len(metrics["vectors"]),
        sorted({len(r["seeds"]) for r in metrics["runs"].values()}),
    )
    notes = [
        "Rewards are normalised by the mean and standard deviation of the offline responses; "
        f"{vectors} vectors, {metrics['prompts']} test prompts, {'/'.join(map(str, seeds))} seed(s). "
        f"HV in units of normalised reward^{len(metrics['objectives'])} above reference "
        f"{metrics['reference'][0]:g}. Mean over seeds [95 % bootstrap interval over prompts] "
        "± standard deviation over seeds. Control: Spearman correlation of weight and mean reward, "
        f"per objective ({', '.join(metrics['objectives'])}). Decodability: lower bound of "
        f"I(Y;W|X) in nats. SFT responses: {metrics['sft_response']}. The paper's numbers come from "
        "7-8B models and other oracles: they show its ordering, not a target.",
    ]
    if metrics["optimum"]:
        notes.append(
            f"Enumerated optimum: HV {metrics['optimum']['hv']:.3f} (convex hull of all policies, an "
            f"upper bound for any set of points), MIP {metrics['optimum']['mip']:.3f}."
        )
    for objective, report in metrics["oracle_reports"].items():
        heldout = "; ".join(_accuracy(kind, figures) for kind, figures in report["heldout"].items())
        notes.append(
            f"Oracle {objective}, a weak proxy fitted in the workflow; held out: {heldout}."
        )
    for run in metrics["runs"].values():
        for warning in run["warnings"]:
            notes.append(f"(!) {run['label']}: {warning}.")
    return [line for note in notes for line in (note, "")][:-1]


def _accuracy(kind: str, figures: Mapping[str, Any]) -> str:
    if "auc" in figures:
        return f"{kind} AUC {figures['auc']:.3f} (n = {figures['n_labels']})"
    return f"{kind} pair accuracy {figures['pair_accuracy']:.3f} (n = {figures['n_pairs']})"


def _escape(text: str) -> str:
    for old, new in (
        ("%", r"\%"),
        ("↑", r"$\uparrow$"),
        ("↓", r"$\downarrow$"),
        ("±", r"$\pm$"),
        ("_", r"\_"),
    ):
        text = text.replace(old, new)
    return text
