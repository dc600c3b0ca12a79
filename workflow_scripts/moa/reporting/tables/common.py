"""What the tables share: cells, notes, and a table as markdown and as LaTeX (booktabs)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moa.reporting import betas, rewards

HEADLINE = {"hv": "HV", "mip": "MIP", "crd": "CRD"}
TITLES = {"hv": "HV ↑", "mip": "MIP ↑", "crd": "CRD ↓"}  # the arrow says which way is better
JUDGED = {"oracles": "", "judges": "by the judges"}  # whose rewards -> what a title says of them
DASH = "–"  # a cell that has no number
TO_LATEX = str.maketrans(
    {
        "%": r"\%",
        "_": r"\_",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "→": r"$\to$",
        "±": r"$\pm$",
        "−": "$-$",
        ">": "$>$",
        "<": "$<$",
        DASH: "--",
    }
)


@dataclass(frozen=True)
class Table:
    """Cells as text, a header over them and notes beneath; `text_columns` are set to the left."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
    text_columns: int = 1


def to_markdown(table: Table) -> str:
    """A table to read, its notes as paragraphs underneath."""
    lines = ["| " + " | ".join(table.header) + " |", "|" + "---|" * len(table.header)]
    lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    notes = "\n\n".join(table.notes)
    return "\n".join([f"# {table.title}", "", *lines, "", notes]) + "\n"


def to_latex(table: Table) -> str:
    """The same as a booktabs tabular, its notes as comments underneath."""
    columns = "l" * table.text_columns + "r" * (len(table.header) - table.text_columns)
    return "\n".join(
        [
            f"% {table.title}; needs \\usepackage{{booktabs}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            _latex_row(table.header),
            r"\midrule",
            *map(_latex_row, table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            *[f"% {note}" for note in table.notes],
            "",
        ]
    )


def title(metrics: Mapping[str, Any], what: str = "") -> str:
    """What a table is of, and by whose rewards."""
    parts = [f"{metrics['config']} / {metrics['task']}", what, JUDGED[metrics["by"]]]
    return ": ".join(filter(None, parts))


def conditioned_runs(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The runs that have metrics: all but the single-reward experts."""
    return {name: run for name, run in metrics["runs"].items() if run["hv"] is not None}


def quoted(paper: Mapping[str, Any], name: str, run: Mapping[str, Any], key: str) -> float | None:
    """The paper's number for a method's plain run; a variant of it has none."""
    return paper.get(run["method"], {}).get(key) if name == run["method"] else None


def marked_label(run: Mapping[str, Any]) -> str:
    """The run's label, with (!) if a warning underneath speaks of it."""
    return run["label"] + (" (!)" if run["warnings"] else "")


def number(value: float | None, form: str) -> str:
    """A number in a form, or a dash where nothing tells it."""
    return DASH if value is None else f"{value:{form}}"


def mean_of(value: Mapping[str, Any] | None) -> float | None:
    """The mean of a number over seeds; None where nothing tells it."""
    return value["mean"] if value else None


def estimate(value: Mapping[str, Any], *, mean: str = "mean", form: str = "z.2f") -> str:
    """mean [low, high] ± standard deviation over seeds (left out for one seed)."""
    low, high, number = (f"{value[key]:{form}}" for key in ("low", "high", mean))
    spread = "" if value["seed_std"] is None else f" ± {value['seed_std']:{form.lstrip('+')}}"
    return f"{number} [{low}, {high}]{spread}"


def sample_note(metrics: Mapping[str, Any]) -> str:
    """What the numbers of every table are made of."""
    seeds = sorted({len(run["seeds"]) for run in metrics["runs"].values()})
    judges = "Rewards are those of the judges, which trained nothing. " * (
        metrics["by"] == "judges"
    )
    return (
        f"{judges}{rewards.sentence(metrics)} {len(metrics['vectors'])} vectors, {metrics['prompts']} test "
        f"prompts, {'/'.join(map(str, seeds))} seed(s). {betas.sentence(metrics)}"
    ).strip()


def hypervolume_unit(metrics: Mapping[str, Any]) -> str:
    """The unit of a hypervolume, as a note names it."""
    return f"{rewards.unit(metrics)}^{len(metrics['objectives'])}"


def units_note(metrics: Mapping[str, Any]) -> str:
    """The units of the three headline metrics, and the reference point of HV."""
    unit = rewards.unit(metrics)
    return (
        f"HV in {hypervolume_unit(metrics)} above reference {metrics['reference'][0]:g}, MIP in {unit}, "
        f"CRD in {unit}^{2 * len(metrics['objectives'])}."
    )


def shared_notes(metrics: Mapping[str, Any]) -> list[str]:
    """How far the oracles, or the judges, can be trusted, and every run's warnings."""
    who = metrics["by"].removesuffix("s").capitalize()
    notes = [
        f"{who} {objective}, a weak proxy fitted in the workflow; held out: "
        + "; ".join(_accuracy(kind, figures) for kind, figures in report["heldout"].items())
        + "."
        for objective, report in metrics["oracle_reports"].items()
    ]
    notes += [
        f"(!) {run['label']}: {warning}."
        for run in metrics["runs"].values()
        for warning in run["warnings"]
    ]
    return notes


def _accuracy(kind: str, figures: Mapping[str, Any]) -> str:
    if "auc" in figures:
        return f"{kind} AUC {figures['auc']:.3f} (n = {figures['n_labels']})"
    return f"{kind} pair accuracy {figures['pair_accuracy']:.3f} (n = {figures['n_pairs']})"


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cell.translate(TO_LATEX) for cell in cells) + r" \\"
