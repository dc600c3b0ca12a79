"""From the rows of files to metrics, and to what people read: as the workflow does it for a task."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moa.datasets.faults import Faults
from moa.datasets.lines import LARGEST
from moa.evaluation.evaluate import BOOTSTRAP_SEED, evaluate, reward_table
from moa.evaluation.runs import RunScores
from moa.evaluation.settings import MetricsSettings
from moa.oracles.scale import RewardScale
from moa.reporting.explorer.content import content
from moa.reporting.explorer.packing import packed
from moa.reporting.explorer.page import page
from moa.reporting.figures import footnotes, style
from moa.reporting.tables.files import write_table
from moa.runtime.errors import JobError
from moa.runtime.files import file_digest
from moa.tools.compare.files import check_names, named, read
from moa.tools.compare.place import check_out, made_beside
from moa.tools.compare.scale import as_it_is, constants, read_scale
from moa.workflow.keys import constant
from moa.workflow.methods import GIVEN
from moa.workflow.outputs import EXPLORER, FIGURES

FALLS = -0.3  # a control below it asks for a doubt; of few vectors it can be chance, so for no more
TABLES = ("summary", "comparisons", "references")  # those that ask for nothing but scores


def compare(
    files: Sequence[Path], objectives: Sequence[str], out: Path, scale: Path | None = None
) -> dict[str, Any]:
    """Write tables/, figures/ and explorer.html of some files into a folder. Returns: the metrics.

    objectives: in the order of each w. scale: a file with mean and std per objective; without one, scores
    are taken as they are.
    Raises: JobError if a file cannot be used, or if they are not of the same prompts, w and seeds.
    """
    check_names(objectives, "objective")
    check_out(out)
    runs = named(files)
    used = read_scale(scale, objectives) if scale else as_it_is(objectives)
    rows, vectors = read(runs, objectives)
    rows[used.norm_columns] = used.normalise(rows[used.raw_columns].to_numpy())
    _check_scaled(rows, runs, used, scale)
    metrics = {
        "config": "compare",
        "task": out.resolve().name,
        "files": {n: {"path": str(p), "sha256": file_digest(p)} for n, p in runs.items()},
        "normalisation": {
            "mean": used.mean.tolist(),
            "std": used.std.tolist(),
            "of": constants(scale, used) if scale else None,
        },
        **_metrics(rows, list(runs), objectives, vectors),
    }
    for name, run in metrics["runs"].items():
        try:
            json.dumps(run, allow_nan=False)
        except ValueError:
            raise JobError(
                f"{runs[name]}: its scores are so large that some metric is beyond float64; "
                "divide all scores by one number, or give a SCALE"
            ) from None
    with made_beside(out) as folder:
        _write(metrics, rows, folder)
    return metrics


def _check_scaled(
    rows: pd.DataFrame, runs: dict[str, Path], scale: RewardScale, path: Path | None
) -> None:
    """Raises: JobError with the rows whose scores the scale has made too large for metrics."""
    for name, own in rows.groupby("run", sort=False):
        faults = Faults(runs[str(name)])
        for objective, column in zip(scale.objectives, scale.norm_columns, strict=True):
            for row in own.loc[own[column].abs() > LARGEST, "row"]:
                faults.add(
                    int(row),
                    f"by the mean and std of {path} the score of {objective} is beyond {LARGEST:g}: "
                    "check both",
                )
        faults.raise_any()


def _metrics(
    rows: pd.DataFrame, names: list[str], objectives: Sequence[str], vectors: list[list[float]]
) -> dict[str, Any]:
    """As compute_metrics.py writes them, of runs that have no policy."""
    settings = MetricsSettings()
    by_run = {name: rows[rows["run"] == name] for name in names}
    runs = [
        RunScores(
            name,
            name,
            GIVEN.name,
            GIVEN.conditioned,
            None,
            {},
            None,
            np.array(vectors, dtype=np.float64),
            {int(str(s)): reward_table(part, objectives) for s, part in own.groupby("seed")},
            {},
            {},
            own,
        )
        for name, own in by_run.items()
    ]
    return {
        "objectives": list(objectives),
        "vectors": vectors,
        "reference": [settings.reference] * len(objectives),
        "sft_response": None,
        "start": None,
        "similarity": None,
        "oracle_reports": {},
        "optimum": None,
        **evaluate(runs, objectives, settings, BOOTSTRAP_SEED),
    }


def notes_of(metrics: dict[str, Any]) -> list[str]:
    """What tables, figures and explorer end with: the files, and whether the scale can be theirs."""
    files = ", ".join(f"{f['path']} (sha256 {f['sha256'][:12]})" for f in metrics["files"].values())
    notes = [f"Responses: {files}."]
    if not any(run["hv"]["mean"] for run in metrics["runs"].values()):
        notes.append(
            f"No point is above {metrics['reference'][0]:g} in all objectives, so every HV is 0: these "
            "scores need a scale (SCALE); the table of references has HV above other points."
        )
    return notes


def doubts(metrics: dict[str, Any]) -> list[str]:
    """Runs that look as if OBJECTIVES were in another order than w: scores go by name, and w by place."""
    falling = {
        name: [objective for objective, of in run["control"].items() if of["mean"] < FALLS]
        for name, run in metrics["runs"].items()
    }
    return [
        f"{name}: the mean score falls as its weight grows ({', '.join(objectives)}): is OBJECTIVES in the "
        "order of w?"
        for name, objectives in falling.items()
        if objectives
    ]


def _write(metrics: dict[str, Any], rows: pd.DataFrame, out: Path) -> None:
    tables, figures, notes = out / "tables", out / "figures", notes_of(metrics)
    for folder in (tables, figures):
        folder.mkdir()
    for name in TABLES:
        write_table(name, metrics, {}, notes, tables, name)
    told = metrics | {"labels": {GIVEN.name: GIVEN.label}, "compared": []}
    for name in _figures(len(metrics["objectives"])):
        module = import_module(f"moa.reporting.figures.{name}")
        with footnotes.ending_with(notes):
            figure = module.draw(told, **({"scores": rows} if module.NEEDS else {}))
        style.save(figure, figures, name)
    html = page(packed(content(metrics, rows, notes=notes)))
    (out / EXPLORER).write_text(html, encoding="utf-8", newline="\n")


def _figures(k: int) -> list[str]:
    """Those of a task with k objectives that ask for nothing but scores."""
    modules = {name: f"moa.reporting.figures.{name}" for name in FIGURES}
    return [
        name
        for name, module in modules.items()
        if set(constant(module, "NEEDS", ())) <= {"scores"}
        and constant(module, "OBJECTIVES", k) == k
    ]
