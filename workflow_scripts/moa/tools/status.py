"""How far the runs of a config are, read from the store and from the work folders of its jobs.

Reads files only, so it can be asked at any time and from any machine that sees the store.
"""

from __future__ import annotations

import json
import re
import time
from calendar import timegm
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from moa.runtime.attempts import json_lines, last_attempt
from moa.runtime.locks import is_locked
from moa.runtime.publishing import is_published, read_manifest, work_folder
from moa.tools.durations import Durations, Left, left
from moa.tools.terminal import duration
from moa.workflow.entries import Entry
from moa.workflow.jobs import parts_of
from moa.workflow.plan import Plan
from moa.workflow.stages import STAGES

DONE, RUNNING, FAILED, WAITING, NOT_BEGUN = STATES = (
    "done",
    "running",
    "failed",
    "waiting for retry",
    "not begun",
)
COLUMNS = ("run/seed", "stage", "state", "try", "saved, age", "rewards", "slurm")
METRICS = "metrics.jsonl"
UTC = "%Y-%m-%dT%H:%M:%SZ"  # as moa.runtime.files.timestamp writes it


@dataclass(frozen=True)
class JobState:
    """How a job stands. attempt, slurm_job, message, started (Unix time): of its last attempt, as far as it
    wrote them."""

    state: str
    attempt: int | None = None
    slurm_job: str | None = None
    message: str = ""
    started: float | None = None


@dataclass(frozen=True)
class Failure:
    """A job, or the part of one, that failed. why: one line. log: all that it said."""

    entry: Entry
    why: str
    log: Path


class Status:
    """The states of all jobs of a plan, at one moment. now: Unix time. jobs: if it is of these alone."""

    def __init__(self, plan: Plan, now: float, jobs: Iterable[Entry] | None = None) -> None:
        self.plan, self.now = plan, now
        self.store = Path(plan.config.store)
        among = {a.rel: a for job in jobs or () for a in (*parts_of(job), job)}
        entries = plan.entries if jobs is None else among
        self.states = {rel: job_state(self.store, a) for rel, a in entries.items()}

    def rows(self, task: str) -> list[tuple[str, ...]]:
        """The COLUMNS of a task: a row per run and seed, and one more for each further job under way.

        The stage is the one that the run is at, which may be one that it shares with other runs.
        """
        objectives = self.plan.config.tasks[task].objectives
        return [
            (f"{run}/{seed}", *self._row(ends, job, objectives))
            for (of, run, seed), ends in self.plan.ends.items()
            if of == task
            for job in self._at(ends)
        ]

    def summary(self) -> str:
        """How many entries there are in each state, figures and tables among them, but no receipts."""
        states = {rel: s for rel, s in self.states.items() if not parts_of(self.plan.entries[rel])}
        count = Counter(job.state for job in states.values())
        text = f"{len(states)} entries: " + ", ".join(f"{count[s]} {s}" for s in STATES)
        done = [rel for rel, job in states.items() if job.state == DONE]
        adopted = sum("adopted" in read_manifest(self.store / rel) for rel in done)
        return text + (f"; {adopted} of those done were adopted" if adopted else "")

    def failures(self) -> list[str]:
        """Of each failed job: what it is, where its log is, and the last line of its message.

        Of one that makes several entries, only the part that failed, if it was one.
        """
        failed = (a for a in self.plan.entries.values() if self.states[a.rel].state == FAILED)
        jobs = {job.rel: job for job in map(self.plan.jobs.making, failed)}
        return [
            f"{found.entry.rel} failed: {found.why}\n  {found.log}"
            for found in self.failed(jobs.values())
        ]

    def failed(
        self, jobs: Iterable[Entry], logs: Path | None = None, since: float = 0.0
    ) -> list[Failure]:
        """Why these jobs failed, or the parts of them that did.

        logs: a folder per stage with what jobs printed; it tells of one that was killed, or that could not
        even begin after `since` (Unix time), and so left no message.
        """
        found: dict[str, Failure] = {}
        for job in jobs:
            parts = [part for part in parts_of(job) if self._told(part, since)]
            for entry in parts or [job]:
                found[entry.rel] = self._failure(entry, logs, since)
        return list(found.values())

    def _failure(self, entry: Entry, logs: Path | None, since: float) -> Failure:
        log = work_folder(self.store, entry.key) / "log.txt"
        if logs is None or self._told(entry, since):
            return Failure(entry, _last_line(self.states[entry.rel].message) or "no message", log)
        log = logs / f"{entry.rel}.log"
        last = _last_line(log.read_text(errors="replace")) if log.exists() else ""
        return Failure(entry, f"no message, as if killed; it said last: {last or 'nothing'}", log)

    def _told(self, entry: Entry, since: float) -> bool:
        """Whether its last attempt began since then, failed, and said so."""
        state = self.states[entry.rel]
        return state.state == FAILED and (state.started or 0.0) >= since

    def is_done(self, job: Entry) -> bool:
        """Whether its entry is there and, if that is a receipt, what it tells of."""
        return all(self.states[a.rel].state == DONE for a in (*parts_of(job), job))

    def unfinished(self) -> list[Entry]:
        """The jobs that something of the plan is still missing from."""
        missing = (a for a in self.plan.entries.values() if self.states[a.rel].state != DONE)
        return list({j.rel: j for j in map(self.plan.jobs.making, missing)}.values())

    def left(self, durations: Durations, jobs: Collection[Entry] | None = None) -> Left:
        """What these jobs still take; all unfinished ones, if none are given."""
        jobs = self.unfinished() if jobs is None else jobs
        durations.look()
        seconds = {job.rel: durations.remaining(job, self._elapsed(job)) for job in jobs}
        return left(jobs, self.plan.jobs.before, seconds)

    def _elapsed(self, job: Entry) -> float:
        """Seconds since the attempt under way began."""
        state = self.states[job.rel]
        began = state.started if state.state == RUNNING else None
        return 0.0 if began is None else max(0.0, self.now - began)

    def _at(self, ends: list[Entry]) -> list[Entry]:
        """The jobs that a run is at: those that have begun, else one that could; its last if done."""
        could = list({a.rel: a for end in ends for a in self._next(end)}.values())
        begun = [a for a in could if self.states[a.rel].state != NOT_BEGUN]
        return begun or could[:1] or ends[-1:]

    def _next(self, entry: Entry) -> list[Entry]:
        """The unfinished jobs on the way to an entry whose inputs are all there."""
        if self.states[entry.rel].state == DONE:
            return []
        upstream = {a.rel: a for i in entry.inputs.values() for a in self._next(i)}
        return list(upstream.values()) or [entry]

    def _row(self, ends: list[Entry], job: Entry, objectives: Sequence[str]) -> tuple[str, ...]:
        state = self.states[job.rel]
        own = own_jobs(ends)
        if state.state == DONE:
            seconds = sum(read_manifest(self.store / a.rel)["wall_seconds"] for a in own)
            saved = f"took {duration(seconds)}"
        else:
            last = last_saved(work_folder(self.store, job.key) / "checkpoints")
            saved = f"{last[0]} {duration(self.now - last[1])}" if last else ""
        rewards = {name: r for a in own for name, r in last_rewards(self.store, a).items()}
        shown = [f"{rewards[o]:.2f}" if o in rewards else "-" for o in objectives]
        return (
            f"{job.stage} {part_of(job)}".strip(),
            state.state,
            str(state.attempt or ""),
            saved,
            " ".join(shown) if rewards else "",
            state.slurm_job or "",
        )


def job_state(store: Path, entry: Entry) -> JobState:
    """How the job of an entry stands, by its lock, its entry and its last attempt, in this order."""
    work = work_folder(store, entry.key)
    last = last_attempt(work)
    began = last.get("started")
    started = timegm(time.strptime(began, UTC)) if began else None
    known = (last.get("attempt"), last.get("slurm_job"), last.get("message") or "", started)
    if is_locked(work):
        return JobState(RUNNING, *known)
    if is_published(store / entry.rel):
        return JobState(DONE)
    if not last or last.get("outcome") == "published":  # its entry was deleted since
        return JobState(NOT_BEGUN)
    return JobState(FAILED if last.get("outcome") == "failed" else WAITING, *known)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def part_of(job: Entry) -> str:
    """What tells a job from others of its stage and run: an objective, the numbers of its vectors."""
    if objective := job.spec["params"].get("objective"):
        return objective
    found = re.search(r"(?:-v(\d+-\d+))?(?:-(judges))?$", job.name)
    return " ".join(filter(None, found.groups())) if found else ""


def own_jobs(ends: list[Entry]) -> list[Entry]:
    """What a run's seed has for itself: training after SFT, and the parts of its evaluation."""
    parts = [part for end in ends for part in parts_of(end)]
    trained = [a for p in parts for a in p.inputs.values() if STAGES[a.stage].with_oracles]
    return list({a.rel: a for a in [*trained, *parts]}.values())


def last_saved(checkpoints: Path) -> tuple[str, float] | None:
    """What a job saved last, and when (Unix time): a step, a finished part of RiC, or shards."""
    saved: list[tuple[float, str]] = []
    for folder in [*checkpoints.glob("checkpoint-*"), *checkpoints.glob("*/checkpoints/*")]:
        if not re.fullmatch(r"checkpoint-\d+", folder.name):
            continue
        part = "" if folder.parent == checkpoints else f"{folder.parent.parent.name} "
        # A running job removes older checkpoints, and in the end all it worked on.
        with suppress(FileNotFoundError):
            path = folder / "trainer_state.json"
            state = json.loads(path.read_text())
            step = f"{part}{state['global_step']}/{state['max_steps']}"
            saved.append((path.stat().st_mtime, step))
    with suppress(FileNotFoundError):
        for done in checkpoints.glob("*/done"):
            saved.append((done.stat().st_mtime, f"{done.parent.name} done"))
        for folder in (checkpoints, *checkpoints.glob("*"), *checkpoints.glob("*/vector*")):
            if shards := list(folder.glob("*-*.parquet")):
                part = "" if folder == checkpoints else f"{folder.relative_to(checkpoints)} "
                saved.append(
                    (max(p.stat().st_mtime for p in shards), f"{part}{len(shards)} shards")
                )
    if not saved:
        return None
    when, what = max(saved)
    return what, when


def last_rewards(store: Path, entry: Entry) -> dict[str, float]:
    """objective -> raw reward in the last line that logged any; of RiC's rounds, their samples'."""
    checkpoints = work_folder(store, entry.key) / "checkpoints"
    published = store / entry.rel / METRICS
    lines = json_lines(published if published.exists() else checkpoints / METRICS)
    if entry.stage == "ric" and not lines:  # written at its end; until then its rounds tell
        rounds = sorted(checkpoints.glob("round*/sampled.json"), key=lambda p: p.stat().st_mtime)
        lines = [json.loads(path.read_text()) for path in rounds]
    for line in reversed(lines):
        rewards = {k.removeprefix("raw_"): v for k, v in line.items() if k.startswith("raw_")}
        if rewards:
            return rewards
    return {}
