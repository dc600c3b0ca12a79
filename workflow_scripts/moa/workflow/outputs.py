"""From scores to what people read: the metrics, figures and tables of a task."""

from __future__ import annotations

from typing import Any

from moa.workflow.entries import Catalogue, Entry, Inputs, only
from moa.workflow.keys import constant
from moa.workflow.methods import METHODS
from moa.workflow.stages import oracle_kinds, vectors_of

# Each is a file of moa/reporting/, and a target under results/<config>/<task>/.
FIGURES = (
    "reward_overlap",
    "exploration",
    "pareto_fronts",
    "reward_distributions",
    "front_3d",
    "objective_best",
    "metrics_by_run",
    "training_curves",
)
TABLES = ("summary", "comparisons", "references")
SWEEP = "beta_w_sweep"  # figure and table of the runs that a task's beta_w_sweep lists

Made = dict[str, dict[str, Entry]]  # run -> role -> its entries
Views = dict[str, tuple[Entry, str]]  # stable path -> an entry, and the file in it


def reports(
    catalogue: Catalogue,
    config: dict[str, Any],
    task: str,
    s: dict[str, Any],
    made: Made,
    shared: Inputs,
) -> Views:
    """Metrics, figures and tables of a task's runs, and of its sweep."""
    title = f"{config['name']}-{task}"
    paper = config["paper_numbers"].get(task, {})
    metrics = metrics_entry(catalogue, title, config["name"], task, s, s["runs"], made, shared)
    files: Views = {}
    for name in FIGURES:
        if constant(f"moa.reporting.figures.{name}", "OBJECTIVES", None) in (
            None,
            len(s["objectives"]),
        ):
            files |= figure(catalogue, title, name, s["runs"], metrics, made)
    for name in TABLES:
        files |= table(catalogue, title, name, name, metrics, paper)
    if s["sweep_runs"]:
        runs, swept = s["sweep_runs"], f"{title}-{SWEEP}"
        metrics = metrics_entry(catalogue, swept, config["name"], task, s, runs, made, shared)
        files |= figure(catalogue, title, SWEEP, runs, metrics, made)
        files |= table(catalogue, title, SWEEP, "summary", metrics, paper)
    return {f"results/{config['name']}/{task}/{path}": entry for path, entry in files.items()}


def metrics_entry(
    catalogue: Catalogue,
    name: str,
    config: str,
    task: str,
    s: dict[str, Any],
    runs: list[dict[str, Any]],
    made: Made,
    shared: Inputs,
) -> Entry:
    """metrics.json of some runs: all that figures and tables show, but for clouds and curves."""
    results = {
        role: entry
        for run in runs
        for role, entry in made[run["name"]].items()
        if not role.startswith("trained/")
    }
    return catalogue.add(
        "metrics",
        name,
        {
            "config": config,
            "task": task,
            "objectives": s["objectives"],
            "oracles": s["oracles"],
            "vectors": s["evaluation_vectors"],
            "runs": [
                {
                    "name": run["name"],
                    "method": run["method"],
                    "beta_w": (run["settings"] or {}).get("beta_w"),
                    "vectors": vectors_of(run, s),
                }
                for run in runs
            ],
            "metrics": s["metrics"],
            "sft_response": s["sft"]["response"],
        },
        {"data": shared["data"], **only(shared, "oracle"), **results},
        modules=oracle_kinds(s),
        libraries=["pymoo", "numpy"],
    )


def figure(
    catalogue: Catalogue,
    title: str,
    name: str,
    runs: list[dict[str, Any]],
    metrics: Entry,
    made: Made,
) -> Views:
    """A figure's files, from the metrics and from what its module's NEEDS names."""
    module = f"moa.reporting.figures.{name}"
    needs = constant(module, "NEEDS", ())
    inputs = {"metrics": metrics}
    for run in runs:
        if "scores" in needs:
            inputs |= only(made[run["name"]], "score/")
        if "curves" in needs or ("explored" in needs and METHODS[run["method"]].stage == "online"):
            inputs |= only(made[run["name"]], "trained/")
    entry = catalogue.add(
        "figure",
        f"{name}-{title}",
        {"figure": name, "needs": list(needs)},
        inputs,
        modules=[module],
        libraries=["matplotlib", "seaborn"],
    )
    files = [f"{name}.{suffix}" for suffix in ("pdf", "png")]
    return {f"figures/{file}": (entry, file) for file in files}


def table(
    catalogue: Catalogue, title: str, name: str, kind: str, metrics: Entry, paper: dict[str, Any]
) -> Views:
    """A table's files. kind: the file of moa/reporting/tables/ that writes it."""
    entry = catalogue.add(
        "table",
        f"{name}-{title}",
        {"name": name, "table": kind, "paper": paper},
        {"metrics": metrics},
        modules=[f"moa.reporting.tables.{kind}"],
    )
    files = [f"{name}.{suffix}" for suffix in ("csv", "md", "tex", "json")]
    return {f"tables/{file}": (entry, file) for file in files}
