"""The plans as tables, for a terminal or a document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from moa.reporting.tables.common import DASH, Table
from moa.tools.estimates.cost import Assumptions, gpu_hours, seconds
from moa.tools.estimates.jobs import CONDITION_TOKENS, GpuJob
from moa.tools.estimates.memory import GB, OVERHEAD, Peak

SHOWN = 4  # items of a sum that are named


def memory_table(found: list[Peak], limit: float) -> Table:
    """One row per peak, all in GB."""
    header = ["task", "job", "GPU", "fullest at", "largest items", "sum", "limit", "fits"]
    rows = [
        [
            peak.task,
            labelled(peak.job, peak.users),
            peak.gpu,
            peak.moment,
            _largest(peak),
            f"{peak.total / GB:.1f}",
            f"{limit:g}",
            "yes" if peak.total <= limit * GB else "**no**",
        ]
        for peak in found
    ]
    notes = [
        "Estimated from the config, not measured; GB are 10^9 bytes, per GPU. Worst case: every prompt "
        "has max_prompt_tokens and every response max_new_tokens. Of the prompt, "
        f"{CONDITION_TOKENS} tokens per objective are taken to be its weights.",
        "Oracles halve their own micro-batch until it fits, so each sum has only what the longest "
        "single row needs; what is left of the GPU is theirs.",
        f"Each sum has {OVERHEAD / GB:g} GB for CUDA's context, workspaces and fragmentation (assumed).",
    ]
    return Table("GPU memory", header, rows, notes)


def labelled(job: str, users: Sequence[str]) -> str:
    return f"{job} ({', '.join(users)})" if users else job


def _largest(peak: Peak) -> str:
    items = sorted(peak.items, key=lambda item: -item[1])
    return ", ".join(f"{name} {size / GB:.1f}" for name, size in items[:SHOWN])


def job_table(jobs: list[GpuJob], given: Assumptions) -> Table:
    """One row per kind of job and cost; other seeds are the same row."""
    alike: dict[tuple[str, ...], list[GpuJob]] = defaultdict(list)
    for job in jobs:
        each = f"{gpu_hours(job, given):.2f}"
        alike[job.task, job.name, _parts(job, given), str(job.gpus), each].append(job)
    rows = []
    for (task, name, parts, gpus, each), same in alike.items():
        users = list(dict.fromkeys(user for job in same for user in job.users))
        hours = f"{sum(gpu_hours(job, given) for job in same):.1f}"
        rows.append([task, labelled(name, users), parts, gpus, str(len(same)), each, hours])
    header = ["task", "job", "of its time", "GPUs", "jobs", "GPU-hours each", "GPU-hours"]
    notes = ["One job per seed and run, but for what they share. GPU-hours: hours times GPUs held."]
    return Table("Estimated GPU-hours per job", header, rows, notes, text_columns=3)


def _parts(job: GpuJob, given: Assumptions) -> str:
    parts = seconds(job, given)
    whole = sum(parts.values())
    return ", ".join(f"{name} {t / whole:.0%}" for name, t in parts.items() if t > 0.005 * whole)


def run_table(jobs: list[GpuJob], given: Assumptions) -> Table:
    """What each run needs, alone and beside the others, over all seeds."""
    tasks = list(dict.fromkeys(job.task for job in jobs))
    runs = list(dict.fromkeys(run for job in jobs for run in job.runs))
    rows = []
    for run in runs:
        needed = [job for job in jobs if run in job.runs]
        own = sum(gpu_hours(job, given) for job in needed if job.runs == [run])
        rows.append([run, *_by_task(tasks, needed, given), f"{own:.1f}"])
    rows.append(["**all, shared jobs once**", *_by_task(tasks, jobs, given), DASH])
    header = ["run", *tasks, "all tasks", "of which no other run needs"]
    notes = [
        "GPU-hours over all seeds. A run alone needs the jobs that it shares with others (SFT, experts, "
        "offline scores), so the runs add up to more than all together."
    ]
    return Table("Estimated GPU-hours per run", header, rows, notes)


def _by_task(tasks: Sequence[str], jobs: list[GpuJob], given: Assumptions) -> list[str]:
    """GPU-hours of every task, and of all."""
    hours = {task: 0.0 for task in tasks}
    for job in jobs:
        hours[job.task] += gpu_hours(job, given)
    return [f"{number:.1f}" for number in (*hours.values(), sum(hours.values()))]
