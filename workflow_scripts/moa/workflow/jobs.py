"""Which job makes an entry, and which jobs come before it: what the rules connect.

Most jobs make one entry. That of a block of evaluation vectors makes several, the parts, and its own entry
is the receipt that all of them are there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from moa.runtime.publishing import is_published
from moa.workflow.entries import Entry
from moa.workflow.stages import PARTS, STAGES


def parts_of(entry: Entry) -> list[Entry]:
    """The entries that its job makes before it; none of most."""
    return list(entry.inputs.values()) if STAGES[entry.stage].parts else []


def is_void(receipt: Entry, store: Path) -> bool:
    """Whether a published receipt tells of a part that is no longer there."""
    return is_published(store / receipt.rel) and not all(
        is_published(store / part.rel) for part in parts_of(receipt)
    )


class Jobs:
    """The jobs of a plan, each as the entry that is its own. entries: all that is planned."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._receipts: dict[str, Entry] = {}
        for receipt in entries:
            for part in parts_of(receipt):  # of several receipts that have it, one is enough
                self._receipts.setdefault(part.rel, receipt)

    def making(self, entry: Entry) -> Entry:
        """The job that makes an entry."""
        return self._receipts[entry.rel] if entry.stage in PARTS else entry

    def before(self, job: Entry) -> list[Entry]:
        """The jobs whose entries a job reads."""
        made = {entry.rel: entry for entry in [*parts_of(job), job]}
        read = [i for entry in made.values() for i in entry.inputs.values() if i.rel not in made]
        return list({j.rel: j for j in map(self.making, read)}.values())

    def behind(self, job: Entry) -> set[str]:
        """The folders of a job's own entry and of those of all jobs that it needs."""
        found: set[str] = set()
        todo = [job]
        while todo:
            job = todo.pop()
            if job.rel not in found:
                found.add(job.rel)
                todo += self.before(job)
        return found
