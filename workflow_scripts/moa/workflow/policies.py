"""The policies that people can ask: an entry for each run and seed, which says how."""

from __future__ import annotations

from moa.workflow.config import Run, Task
from moa.workflow.entries import Catalogue, Entry, Inputs, only
from moa.workflow.graph import plain, training
from moa.workflow.outputs import Views


def policy_views(
    catalogue: Catalogue, config: str, task: Task, run: Run, seed: int, start: Inputs
) -> Views:
    """The stable path of a run's policy: a folder with all that is needed to ask it.

    config: its name. start: what the run starts from, with the seed's sft.
    """
    name = f"{run.name}-s{seed}"
    entry = _entry(catalogue, config, task, run, seed, start)
    return {f"results/{config}/{task.name}/policies/{name}": (entry, name)}


def _entry(
    catalogue: Catalogue, config: str, task: Task, run: Run, seed: int, start: Inputs
) -> Entry:
    """Made of what is asked, and of what its rewards are told by; no response and no score."""
    asked = {role: start[role] for role in ("base", "sft", "data", "oracle_stats")}
    return catalogue.add(
        "policy",
        f"{run.name}-{task.name}-s{seed}",
        {
            "config": config,
            "task": task.name,
            "run": run.name,
            "label": run.label,
            "method": run.method.name,
            "conditioned": run.method.conditioned,
            "conditioning": run.method.conditioning,
            "merge": getattr(run.settings, "merge", None),
            "objectives": task.objectives,
            "oracles": catalogue.pins.oracles,
            "vectors": run.vectors,
            "generation": plain(task.asked),
        },
        {**asked, **only(start, "oracle/"), **training(catalogue, task, run, seed, start)},
        seed=seed,
    )
