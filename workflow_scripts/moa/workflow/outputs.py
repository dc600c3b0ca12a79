"""From scores to what people read: the metrics, figures, tables and explorer of a task."""

from __future__ import annotations

from typing import Any

from moa.runtime.fingerprints import fingerprint
from moa.workflow import similarity
from moa.workflow.config import Run, Task
from moa.workflow.entries import Catalogue, Entry, Inputs, only
from moa.workflow.graph import kinds, plain
from moa.workflow.keys import PACKAGE_ROOT, constant
from moa.workflow.methods import SWEPT, compared, is_start

# Each is a file of moa/reporting/, and a target under results/<config>/<task>/.
FRONT = "pareto_fronts"
FIGURES = (
    "reward_overlap",
    "exploration",
    FRONT,
    "reward_distributions",
    "front_3d",
    "objective_best",
    "metrics_by_run",
    "training_curves",
)
TABLES = ("verdict", "summary", "comparisons", "references", "spread")
EXPLORER = "explorer.html"
PAGE = PACKAGE_ROOT / "moa" / "reporting" / "explorer" / "page"  # its sources: no Python, but code
POOLED = "pooled"  # a table of all tasks, below results/<config>/
SWEEP = f"{SWEPT}_sweep"  # figure and table of the runs that a task's beta_w_sweep lists

BY_JUDGES = ("pareto_fronts_by_judges", "oracles_and_judges")  # where a task has judges
PHASES = ("phase_diagram", "phases_by_kl")  # where runs have several beta_c
SEVERAL = 3  # beta_c that make a diagram

# of a run's roles, those that metrics are made of
RESULTS = ("score/", "judge/", "likelihoods/", "reference/")
# what a figure's NEEDS name -> the roles that hold it
ROLES = {"scores": "score/", "curves": "trained/", "explored": "trained/"}

Made = dict[str, dict[str, Entry]]  # run -> role -> its entries
Views = dict[str, tuple[Entry, str]]  # stable path -> an entry, and the file or folder in it


def outputs(
    catalogue: Catalogue, config: str, task: Task, made: Made, shared: Inputs, judges: Inputs
) -> tuple[Entry, Views]:
    """The metrics of a task's runs; its figures and tables, with those of its sweep, and its explorer.

    config: its name.
    """
    title = f"{config}-{task.name}"
    sources = {
        "data": shared["data"],
        **only(shared, "oracle"),
        **{f"judges/{role}": entry for role, entry in judges.items()},
    }
    metrics = metrics_entry(catalogue, title, config, task, task.runs, made, sources)
    files: Views = {}
    for name in FIGURES:
        objectives = constant(f"moa.reporting.figures.{name}", "OBJECTIVES", None)
        if objectives in (None, len(task.objectives)):
            files |= figure(catalogue, title, name, task.runs, metrics, made)
    further = [*(BY_JUDGES if task.judges else ()), *(PHASES if has_phases(task.runs) else ())]
    for name in further:
        files |= figure(catalogue, title, name, task.runs, metrics, made)
    for name in TABLES:
        files |= table(catalogue, title, name, name, metrics, task)
    files |= explorer(catalogue, title, task.runs, metrics, made)
    if task.sweep:
        swept = f"{title}-{SWEEP}"
        values = metrics_entry(catalogue, swept, config, task, task.sweep, made, sources)
        files |= figure(catalogue, title, SWEEP, task.sweep, values, made)
        files |= table(catalogue, title, SWEEP, "summary", values, task)
    folder = f"results/{config}/{task.name}"
    return metrics, {f"{folder}/{path}": entry for path, entry in files.items()}


def has_phases(runs: list[Run]) -> bool:
    """Whether the compared methods have runs at several beta_c."""
    methods = {run.method.name for run in runs}
    values = {getattr(run.told, "beta_c", None) for run in runs} - {None}
    return methods >= {*compared()} and len(values) >= SEVERAL


def metrics_entry(
    catalogue: Catalogue,
    name: str,
    config: str,
    task: Task,
    runs: list[Run],
    made: Made,
    sources: Inputs,
) -> Entry:
    """metrics.json of some runs: all that figures and tables show, but for clouds and curves.

    sources: the data, and what oracles and judges were made of.
    """
    results = {
        role: entry
        for run in runs
        for role, entry in made[run.name].items()
        if role.startswith(RESULTS)
    }
    return catalogue.add(
        "metrics",
        name,
        {
            "config": config,
            "task": task.name,
            "objectives": task.objectives,
            "oracles": catalogue.pins.oracles,
            "judges": catalogue.pins.judges,
            "vectors": task.vectors,
            "runs": [
                {
                    "name": run.name,
                    "label": run.label,
                    "method": run.method.name,
                    "conditioned": run.method.conditioned,
                    "has_policy": run.method.has_policy,
                    "beta_w": getattr(run.settings, "beta_w", None),
                    "vectors": run.vectors,
                    **similarity.of_run(run.told, task.policy),
                }
                for run in runs
            ],
            # In this order, so that one reads "mi_epo - mo_odpo".
            "first": [n for n in reversed(compared()) if n in [run.name for run in runs]],
            "start": next((run.name for run in runs if is_start(run.method)), None),
            "metrics": plain(task.metrics),
            "similarity": similarity.of_task(task.policy),
            "sft_response": task.sft.response,
        },
        {**sources, **results},
        modules=[*kinds(task, task.oracles), *kinds(task, task.judges)],
    )


def figure(
    catalogue: Catalogue, title: str, name: str, runs: list[Run], metrics: Entry, made: Made
) -> Views:
    """A figure's files, from the metrics and from what its module's NEEDS names.

    None where no run has that, such as curves where nothing is trained after SFT.
    """
    module = f"moa.reporting.figures.{name}"
    needs = constant(module, "NEEDS", ())
    inputs: dict[str, Entry] = {"metrics": metrics}
    shown: set[str] = set()
    for run in runs:
        if "scores" in needs:
            inputs |= only(made[run.name], "score/")
        if "curves" in needs or ("explored" in needs and run.method.stage == "online"):
            trained = only(made[run.name], "trained/")
            # What several runs were made from (soups and single experts) is shown with the first.
            inputs |= {role: e for role, e in trained.items() if e.rel not in shown}
            shown |= {entry.rel for entry in trained.values()}
    if not all(only(inputs, ROLES[need]) for need in needs):
        return {}
    entry = catalogue.add(
        "figure",
        f"{name}-{title}",
        {"figure": name, "needs": list(needs), **names_of(runs)},
        inputs,
        modules=[module],
    )
    files = [f"{name}.{suffix}" for suffix in ("pdf", "png")]
    return {f"figures/{file}": (entry, file) for file in files}


def names_of(runs: list[Run]) -> dict[str, Any]:
    """What a figure calls the methods of its runs, and which of these are held against each other."""
    methods = {run.method.name: run.method.label for run in runs}
    return {"labels": methods, "compared": [name for name in compared() if name in methods]}


def table(
    catalogue: Catalogue, title: str, name: str, kind: str, metrics: Entry, task: Task
) -> Views:
    """A table's files. kind: the file of moa/reporting/tables/ that writes it."""
    entry = catalogue.add(
        "table",
        f"{name}-{title}",
        {"name": name, "table": kind, "paper": task.paper},
        {"metrics": metrics},
        modules=[f"moa.reporting.tables.{kind}"],
    )
    return _table_files(name, entry)


def explorer(
    catalogue: Catalogue, title: str, runs: list[Run], metrics: Entry, made: Made
) -> Views:
    """The page with all responses of the runs, by the oracles' rewards and the judges'."""
    inputs: dict[str, Entry] = {"metrics": metrics}
    for run in runs:
        inputs |= {**only(made[run.name], "score/"), **only(made[run.name], "judge/")}
    entry = catalogue.add("explorer", title, {"page": fingerprint(PAGE)}, inputs)
    return {EXPLORER: (entry, EXPLORER)}


def pooled_table(catalogue: Catalogue, config: str, metrics: dict[str, Entry]) -> Views:
    """The files of the table that pools a config's tasks; none of a single one. metrics: by task."""
    if len(metrics) < 2:
        return {}
    entry = catalogue.add(
        "table",
        f"{POOLED}-{config}-all",
        {"name": POOLED, "table": POOLED, "paper": {}},
        {f"metrics/{task}": entry for task, entry in metrics.items()},
        modules=[f"moa.reporting.tables.{POOLED}"],
    )
    return {f"results/{config}/{path}": view for path, view in _table_files(POOLED, entry).items()}


def _table_files(name: str, entry: Entry) -> Views:
    files = [f"{name}.{suffix}" for suffix in ("csv", "md", "tex", "json")]
    return {f"tables/{file}": (entry, file) for file in files}
