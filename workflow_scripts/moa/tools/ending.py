"""What a run says at the terminal: how long it still takes; its numbers and where all is; what failed.

Numbers are those of the metrics.json that the current tables are made of; what is not made yet is left out.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from moa.reporting.tables.common import HEADLINE, TITLES, conditioned_runs, marked_label
from moa.runtime.publishing import is_published
from moa.tools.durations import Durations, left_note
from moa.tools.status import Failure, Status
from moa.tools.terminal import listed, table
from moa.workflow.entries import Entry
from moa.workflow.plan import Plan

WIDTH = 100
RUNS = 12  # of a task that are shown; more would push the rest out of sight
LINES = 4  # of a reason or a warning
NAMED = 6  # how many a list names
RUNNING = 3  # how many of the jobs under way

# What to do next: a command, and what it is for. {name}: the config's.
NEXT = (
    ("make report", "all of this on one page, to send: results/{name}/report.html"),
    ("make status", "every run with its time and its last rewards"),
    ("make run", "after one more line under `runs:` of the config, which trains that run alone"),
)
DEFAULT_CONFIG = "config/synthetic.yaml"  # what make takes without CONFIG


def success(plan: Plan, config: str, asked: Collection[str]) -> str:
    """The end of a run that made, or found, all that was asked for.

    config: the file, as a command names it. asked: the stable paths that were asked for.
    """
    shown = [read for task in plan.config.tasks if (read := _metrics(plan, task, asked))]
    seeds = len(plan.config.seeds)
    cells = (
        f"± standard deviation over {seeds} seeds; intervals over prompts are in summary.md"
        if seeds > 1
        else "[95 % interval over prompts], of one seed"
    )
    parts = [*map(headline, shown), *[cells] * bool(shown)]
    return "\n\n".join([*parts, _places(plan, asked), _next(plan, config)])


def failure(plan: Plan, status: Status, failures: Sequence[Failure], asked: Collection[str]) -> str:
    """The end of a run that could not make all: what failed and why, and what is whole.

    failures: none if the run was stopped. asked: as for `success`.
    """
    lines = ["Failed:"] if failures else []
    for found in failures:
        lines += _wrapped(f"  {found.entry.rel}: ", found.why)
        lines.append(f"    all it said: {found.log}")
    lines += [
        *[""] * bool(failures),
        "Whole, and kept:",
        *_whole(plan, status, failures, asked),
        "",
    ]
    lines.append(
        "Mend it, and run the same command again: only what is missing is made."
        if failures
        else "Nothing failed: the run was stopped. The same command goes on from there."
    )
    return "\n".join(lines)


def going_on(
    status: Status,
    durations: Durations,
    todo: Iterable[Entry],
    running: Iterable[Entry],
    failed: Iterable[Entry],
    at_once: float,
    queued: bool,
) -> str:
    """What is running and how long it still takes, in a line; empty if there is nothing to say.

    todo: all jobs of the run that are not known to be done. at_once: how many may run. queued: whether
    they may also wait in the queue of a cluster, which nothing tells of.
    """
    broken = {job.rel for job in failed}
    left = [j for j in todo if not (status.is_done(j) or broken & status.plan.jobs.behind(j))]
    names = [f"{job.stage} {job.name}" for job in running]
    rest = left_note(status.left(durations, left), at_once)
    said = (
        f"{'queued or running' if queued else 'running'}: {listed(names, RUNNING)}"
        if names
        else "",
        rest + ", queues aside" if queued and rest else rest,
        f"{len(broken)} failed" if broken else "",
    )
    return "; ".join(filter(None, said))


def headline(metrics: Mapping[str, Any]) -> str:
    """HV, MIP and CRD of a task's runs, and the warnings that its tables have."""
    runs = list(conditioned_runs(metrics).values())
    rows = [[marked_label(run), *(_cell(run[key]) for key in HEADLINE)] for run in runs[:RUNS]]
    lines = table([metrics["task"], *(TITLES[key] for key in HEADLINE)], rows).splitlines()
    if len(runs) > RUNS:
        lines.append(f"and {len(runs) - RUNS} more runs, in summary.md")
    warned: dict[str, list[str]] = {}
    for run in metrics["runs"].values():
        for warning in run["warnings"]:
            warned.setdefault(warning, []).append(run["label"])
    for warning, labels in warned.items():
        lines += _wrapped(f"(!) {listed(labels, NAMED)}: ", warning)
    return "\n".join(lines)


def _cell(value: Mapping[str, Any]) -> str:
    """Short enough for a terminal: the spread over seeds or, of one seed, the interval over prompts."""
    if value["seed_std"] is None:
        return f"{value['mean']:z.2f} [{value['low']:z.2f}, {value['high']:z.2f}]"
    return f"{value['mean']:z.2f} ± {value['seed_std']:.2f}"


def _metrics(plan: Plan, task: str, asked: Collection[str]) -> dict[str, Any] | None:
    """The metrics behind a task's tables; None if nothing of it was asked for, or they are not made."""
    folder = f"results/{plan.config.name}/{task}/"
    if not any(path.startswith(folder) for path in asked):
        return None
    entry, _ = plan.views[f"{folder}tables/summary.json"]
    made = Path(plan.config.store) / entry.inputs["metrics"].rel
    return json.loads((made / "metrics.json").read_text()) if is_published(made) else None


def _places(plan: Plan, asked: Collection[str]) -> str:
    """Where all that was asked for is, a line per kind."""
    top = f"results/{plan.config.name}/"
    tasks = {path.removeprefix(top).split("/")[0] for path in asked} & plan.config.tasks.keys()
    several = len(tasks) > 1
    places: dict[str, list[str]] = {}
    for path in asked:
        task, _, rest = path.removeprefix(top).partition("/")
        within, shown = (rest, task) if task in tasks else (f"{task}/{rest}", "")
        kind, _, file = within.partition("/")
        place = "/".join(filter(None, ["<task>" if several and shown else shown, kind]))
        found = places.setdefault(Path(kind).stem, [])
        if (line := f"{top}{place}{'/' if file else ''}") not in found:
            found.append(line)
    return table(("", ""), [(kind, "  ".join(lines)) for kind, lines in places.items()]).lstrip(
        "\n"
    )


def _next(plan: Plan, config: str) -> str:
    told = "" if config == DEFAULT_CONFIG else f", with CONFIG={config}"
    rows = [(command, why.format(name=plan.config.name)) for command, why in NEXT]
    return f"Next{told}:\n" + textwrap.indent(table(("", ""), rows).lstrip("\n"), "  ")


def _whole(
    plan: Plan, status: Status, failures: Iterable[Failure], asked: Collection[str]
) -> list[str]:
    """A line per task: how much of it is there, and which of its runs a failure stopped."""
    broken = {plan.jobs.making(found.entry).rel for found in failures}
    rows, lost = [], []
    for task in plan.config.tasks:
        ends = {f"{run}/{seed}": e for (of, run, seed), e in plan.ends.items() if of == task}
        whole = [name for name, e in ends.items() if all(map(status.is_done, e))]
        lost.append([n for n, e in ends.items() if n not in whole and _needs(plan, e, broken)])
        shown = {e.rel: e for path in asked if f"/{task}/" in path for e in plan.views[path][:1]}
        made = sum(map(status.is_done, shown.values()))
        runs = f"{len(whole)} of {len(ends)} runs"
        rows.append(
            (f"  {task}", runs, f"{made} of {len(shown)} figures, tables, explorers and policies")
        )
    lines = []
    for line, names in zip(table(("", "", ""), rows).splitlines()[1:], lost, strict=True):
        lines += [line, *(_wrapped("    not ", listed(names, NAMED)) if names else ())]
    return lines


def _needs(plan: Plan, ends: Iterable[Entry], broken: Collection[str]) -> bool:
    return any(plan.jobs.behind(end) & set(broken) for end in ends)


def _wrapped(start: str, text: str) -> list[str]:
    return textwrap.wrap(
        start + text,
        WIDTH,
        subsequent_indent="    ",
        max_lines=LINES,
        break_long_words=False,
        break_on_hyphens=False,
    )
