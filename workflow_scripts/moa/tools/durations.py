"""How long jobs take, as told by similar ones that are done, and so how long a run still takes.

A run's own jobs count as soon as they are done: where nothing is known at the start, it is known soon.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from moa.runtime.publishing import is_published, read_manifest
from moa.tools.terminal import duration
from moa.workflow.entries import Entry
from moa.workflow.plan import Plan
from moa.workflow.stages import PARTS, STAGES

Settings = dict[str, str]  # what it is called -> its value as JSON
SOURCES = ("base", "data")  # stages whose settings say how large a job's model and data are


@dataclass(frozen=True)
class Left:
    """What is still to be done. chain: seconds of the longest row of jobs that wait for each other. work:
    seconds of all, one after the other. unknown: jobs like none that is done, which are in neither.
    """

    chain: float
    work: float
    unknown: int

    def seconds(self, at_once: float) -> float:
        """The least that it takes with so many jobs at once: neither its chain nor its share is shorter."""
        return max(self.chain, self.work / at_once)


def left(
    jobs: Iterable[Entry],
    before: Callable[[Entry], Iterable[Entry]],
    seconds: Mapping[str, float | None],
) -> Left:
    """jobs: those that are not done. before: the jobs that one reads of. seconds: by folder, or None."""
    missing = {job.rel: job for job in jobs}
    ends: dict[str, float] = {}

    def end(job: Entry) -> float:
        if job.rel not in ends:
            waits = [end(other) for other in before(job) if other.rel in missing]
            ends[job.rel] = max(waits, default=0.0) + (seconds[job.rel] or 0.0)
        return ends[job.rel]

    known = [s for rel in missing if (s := seconds[rel]) is not None]
    chain = max((end(job) for job in missing.values()), default=0.0)
    return Left(chain, sum(known), len(missing) - len(known))


class Durations:
    """What jobs of a plan are expected to take.

    That is the median of the most similar ones that are done: of the same stage, with the same base model
    and, of these, with the fewest other settings changed. Seeds, code and versions make no difference. Jobs
    that were resumed do not count, since they tell of their last attempt alone.

    logs: a folder per stage with the benchmark files of jobs; without one, a manifest tells, which does not
    know the start of Python.
    """

    def __init__(self, plan: Plan, logs: Path) -> None:
        self.plan, self.store, self.logs = plan, Path(plan.config.store), logs
        self._seen: set[str] = set()
        # stage -> (settings, seconds of each job that had them)
        self._done: dict[str, list[tuple[Settings, list[float]]]] = {}
        self._specs: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, Settings] = {}
        self._settings: dict[str, Settings] = {}

    def look(self) -> Durations:
        """Take in what has been done since the last time."""
        for stage in STAGES.keys() - PARTS:
            folders = self.store.glob(f"{stage}/*")
            for rel in {f"{stage}/{folder.name}" for folder in folders} - self._seen:
                if is_published(self.store / rel):
                    self._seen.add(rel)
                    with suppress(FileNotFoundError):  # a part or a source is no longer there
                        self._take_in(stage, rel)
        return self

    def expected(self, job: Entry) -> float | None:
        """Seconds of a whole job, from its start; None if nothing tells."""
        own = self._settings_of(job.rel)
        likened: dict[int, list[float]] = {}
        for other, seconds in self._done.get(job.stage, []):
            if other.get("base") == own.get("base"):
                changed = sum(own.get(k) != other.get(k) for k in own.keys() | other.keys())
                likened.setdefault(changed, []).extend(seconds)
        return median(likened[min(likened)]) if likened else None

    def remaining(self, job: Entry, elapsed: float) -> float | None:
        """Seconds from now on. elapsed: since it began; parts that are there need not be made."""
        whole = self.expected(job)
        if whole is None:
            return None
        parts = [self.store / rel for rel in self._parts(job.rel)]
        made = sum(read_manifest(p)["wall_seconds"] for p in parts if is_published(p))
        return max(0.0, whole - max(elapsed, made))

    def _take_in(self, stage: str, rel: str) -> None:
        settings, seconds = self._settings_of(rel), self._measured(rel)
        if seconds is None:
            return
        for other, known in self._done.setdefault(stage, []):
            if other == settings:
                known.append(seconds)
                return
        self._done[stage].append((settings, [seconds]))

    def _measured(self, rel: str) -> float | None:
        manifests = [read_manifest(self.store / r) for r in (rel, *self._parts(rel))]
        starts = [sum("started" in a for a in m.get("attempts", ())) for m in manifests]
        if max(starts) > 1:
            return None
        made = sum(m["wall_seconds"] for m in manifests)
        benchmark = self.logs / f"{rel}.tsv"
        if not benchmark.exists():
            return made
        header, values = (line.split("\t") for line in benchmark.read_text().splitlines()[:2])
        return max(made, float(dict(zip(header, values, strict=True))["s"]))

    def _spec(self, rel: str) -> dict[str, Any]:
        if rel not in self._specs:
            planned = self.plan.entries.get(rel)
            self._specs[rel] = (
                planned.spec
                if planned
                else json.loads((self.store / rel / "spec.json").read_text())
            )
        return self._specs[rel]

    def _parts(self, rel: str) -> list[str]:
        spec = self._spec(rel)
        return list(spec["inputs"].values()) if STAGES[spec["stage"]].parts else []

    def _sources_of(self, rel: str) -> Settings:
        """SOURCES -> the settings of those that an entry is made from, or is."""
        if rel not in self._sources:
            spec = self._spec(rel)
            found: dict[str, set[str]] = {}
            if spec["stage"] in SOURCES:
                found[spec["stage"]] = {json.dumps(spec["params"], sort_keys=True)}
            for upstream in spec["inputs"].values():
                for stage, settings in self._sources_of(upstream).items():
                    found.setdefault(stage, set()).add(settings)
            self._sources[rel] = {stage: "\n".join(sorted(s)) for stage, s in found.items()}
        return self._sources[rel]

    def _settings_of(self, rel: str) -> Settings:
        """Every setting that a job's time may depend on, as text: its own, its parts' and its sources'."""
        if rel not in self._settings:
            settings = dict(self._sources_of(rel))
            for made in (rel, *self._parts(rel)):
                spec = self._spec(made)
                settings |= _flat(spec["params"], f"{spec['stage']} ")
            self._settings[rel] = settings
        return self._settings[rel]


def left_note(rest: Left, at_once: float | None = None) -> str:
    """For people: how long it still takes with so many jobs at once; without a number, the two bounds.
    Empty if nothing is known.
    """
    if not rest.work:
        return ""
    least = "more than" if rest.unknown else "about"
    if at_once is not None:
        return f"{least} {duration(rest.seconds(at_once))} left"
    return (
        f"left: {least} {duration(rest.work)} of jobs one after the other, "
        f"{duration(rest.chain)} if all that can run at once do"
    )


def _flat(value: Any, path: str) -> Settings:
    """Path -> leaf of nested mappings; a list is a leaf."""
    if not isinstance(value, Mapping):
        return {path: json.dumps(value, sort_keys=True)}
    return {p: v for key, inner in value.items() for p, v in _flat(inner, f"{path}.{key}").items()}
