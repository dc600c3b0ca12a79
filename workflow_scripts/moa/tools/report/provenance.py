"""Where the results of a config come from: its entries' manifests, in one page.

These hold whichever checkout or cluster made an entry, which the workflow manager's own records do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from moa.runtime.files import timestamp
from moa.runtime.publishing import read_manifest
from moa.tools.report import html
from moa.tools.terminal import duration
from moa.workflow.entries import Entry
from moa.workflow.inherit import read_config
from moa.workflow.plan import Plan
from moa.workflow.stages import STAGES

UNKNOWN = "of no known commit"
COLUMNS = (
    *("Stage", "Entry", "Seed", "Made (UTC)", "Time", "Starts", "Peak memory, MB", "Code"),
    *("Machine", "Adopted"),
)
TEXTS = (0, 1, 7, 8, 9)


@dataclass(frozen=True)
class Made:
    """What a manifest says of how its entry was made.

    at: when the start began that published it. seconds: inside the job, of all starts whose end is known.
    last: of the one that published. starts: how often it was begun. cut: some start was killed before it
    could tell its end, so that `seconds` lack it. commit: of the code; ends with `-dirty` if it had changes
    that are in no commit. adopted: why, if it was not made by this code.
    """

    entry: Entry
    at: str
    seconds: float
    last: float
    starts: int
    cut: bool
    memory: float
    commit: str
    machine: str
    versions: dict[str, str]
    adopted: str

    @classmethod
    def of(cls, entry: Entry, store: Path) -> Made:
        manifest = read_manifest(store / entry.rel)
        attempts = manifest["attempts"]
        begun = {line["attempt"]: line["started"] for line in attempts if "started" in line}
        ended = {line["attempt"]: line["ended"] for line in attempts if "ended" in line}
        earlier = sorted(begun)[:-1]  # the last is the one that published
        return cls(
            entry,
            manifest["started"],
            sum(_between(begun[n], ended[n]) for n in earlier if n in ended)
            + manifest["wall_seconds"],
            manifest["wall_seconds"],
            max(1, len(begun)),
            any(n not in ended for n in earlier),
            manifest["max_rss_mb"],
            manifest["git_commit"] or UNKNOWN,
            _machine(manifest["hardware"]),
            manifest["versions"],
            " ".join(manifest.get("adopted", {}).get("why", "").split()),
        )

    @property
    def row(self) -> list[str]:
        seed = self.entry.spec["seed"]
        return [
            *(self.entry.stage, f"{self.entry.name}-{self.entry.key}"),
            "" if seed is None else str(seed),
            self.at.rstrip("Z").replace("T", " "),
            _time(self.seconds, self.cut),
            *(str(self.starts), f"{self.memory:.0f}"),
            *(self.commit, self.machine, self.adopted),
        ]


def all_made(plan: Plan) -> list[Made]:
    """Of every entry, inputs first. All must be published."""
    store = Path(plan.config.store)
    return [Made.of(entry, store) for entry in plan.entries.values()]


def provenance_page(name: str, made: Sequence[Made], config: Path) -> str:
    """name: of the config. config: the file that was asked for."""
    return html.page(
        f"{name}: where its results come from",
        [
            html.paragraph(
                f"{len(made)} entries, {duration(sum(m.seconds for m in made))} of work in all, told by "
                f"their manifests. This page was written at {timestamp()}. Times are inside the jobs: what "
                "Python and its libraries take to start comes on top."
            ),
            html.points(_warnings(made)),
            html.heading("Time by stage"),
            _by_stage(made),
            html.heading("Code, machines, libraries"),
            html.table(("What", "Which", "Entries"), _shares(made), (0, 1)),
            html.heading("Every entry"),
            html.table(COLUMNS, [m.row for m in made], TEXTS),
            html.heading("The config"),
            html.folded(
                f"{config.name}, with what it extends",
                html.code(yaml.safe_dump(read_config(config), sort_keys=False, allow_unicode=True)),
            ),
        ],
    )


def facts(made: Made) -> str:
    """One sentence of how an entry was made."""
    adopted = f" Adopted without being made again: {made.adopted}." if made.adopted else ""
    return (
        f"Entry {made.entry.rel}, made by {STAGES[made.entry.stage].script}.py at {made.at} in "
        f"{_time(made.seconds, made.cut)}, its code {made.commit}.{adopted}"
    )


def _warnings(made: Sequence[Made]) -> list[str]:
    """What a reader should know before trusting that all of it was made by one program on one machine."""
    found = []
    if dirty := [m for m in made if m.commit.endswith("-dirty")]:
        found.append(f"{_entries(dirty)} made by code with changes that are in no commit (-dirty).")
    if unknown := [m for m in made if m.commit == UNKNOWN]:
        found.append(f"{_entries(unknown)} made outside a git checkout: the commit is not known.")
    if adopted := [m for m in made if m.adopted]:
        found.append(f"{_entries(adopted)} adopted: made by older code that was said to be equal.")
    if cut := [m for m in made if m.cut]:
        found.append(
            f"{_entries(cut)} made in starts of which some were killed: times are at least so."
        )
    versions: dict[str, set[str]] = {}
    for m in made:
        for library, version in m.versions.items():
            versions.setdefault(library, set()).add(version)
    found += [
        f"{library} had several versions: {', '.join(sorted(several))}."
        for library, several in versions.items()
        if len(several) > 1
    ]
    return found


def _by_stage(made: Sequence[Made]) -> str:
    rows = []
    for stage, of in STAGES.items():
        here = [m for m in made if m.entry.stage == stage]
        if here:
            seconds = [m.seconds for m in here]
            cut = any(m.cut for m in here)
            rows.append(
                [stage, of.script, str(len(here)), _time(sum(seconds), cut), _time(max(seconds))]
            )
    return html.table(("Stage", "Script", "Entries", "Time", "Longest"), rows, (0, 1))


def _shares(made: Sequence[Made]) -> Iterable[Sequence[str]]:
    """What, which, how many entries."""
    counts: dict[str, Counter[str]] = {"code": Counter(), "machine": Counter()}
    for m in made:
        counts["code"][m.commit] += 1
        counts["machine"][m.machine] += 1
        for library, version in m.versions.items():
            counts.setdefault(library, Counter())[version] += 1
    for what, found in counts.items():
        for which, number in found.most_common():
            yield what, which, str(number)


def _machine(hardware: dict[str, Any]) -> str:
    gpus = [f"{n} x {name}" for name, n in Counter(hardware.get("gpus", [])).items()]
    return ", ".join([hardware["machine"], f"{hardware['cpus']} cores", *gpus])


def _time(seconds: float, cut: bool = False) -> str:
    """Short jobs count here, too, so seconds have a decimal where they are few."""
    return ("at least " if cut else "") + (f"{seconds:.1f}s" if seconds < 10 else duration(seconds))


def _entries(some: Sequence[Made]) -> str:
    return f"{len(some)} {'entry was' if len(some) == 1 else 'entries were'}"


def _between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
