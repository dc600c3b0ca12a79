"""Views: stable paths, results/<config>/<task>/figures|tables|policies/... and explorer.html, that are
links into the store.

The store alone decides what has to be made. Links only show it to people: `ls -l` on a figure names the
entry that it came from. One whose entry is not made yet shows an older one, and is said to.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from moa.runtime.publishing import is_published

if TYPE_CHECKING:
    from moa.workflow.plan import Plan

NAMED = 6  # how many a message names


def show_views(plan: Plan, store: Path, root: Path) -> None:
    """Point every stable path below `root` at its current entry, if the store has it.

    Else it goes on showing an older one until its job is done; it is removed if that one is gone.
    """
    for path, (entry, file) in plan.views.items():
        if is_published(store / entry.rel):
            link_view(root / path, store / entry.rel / file)
        elif (root / path).is_symlink() and not (root / path).exists():
            (root / path).unlink()


def link_view(link: Path, target: Path) -> None:
    """Point one stable path at what the store has (relative, so that both can be moved together)."""
    relative = os.path.relpath(target, link.parent)
    if link.is_symlink() and os.readlink(link) == relative:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    os.symlink(relative, temporary)
    os.replace(temporary, link)


def remove_views(root: Path, entries: Collection[str]) -> int:
    """Remove all stable paths that lead into these entries (<stage>/<name>-<key>). Returns: how many."""
    led = [link for link in _links(root, "*") if _shown(link).rpartition("/")[0] in entries]
    for link in led:
        link.unlink()
    return len(led)


def outdated(plan: Plan, root: Path) -> tuple[list[str], list[str]]:
    """<task>/figures|tables|policies/<name>, <task>/explorer of what is shown below `root` and is of an
    older plan: what this plan makes anew, and what it does not have at all.
    """
    folder = root / "results" / plan.config.name
    planned = {path: f"{entry.rel}/{file}" for path, (entry, file) in plan.views.items()}
    older: dict[str, None] = {}  # in order, each once
    left: dict[str, None] = {}
    for link in _links(root, plan.config.name):
        current = planned.get(link.relative_to(root).as_posix())
        if link.exists() and _shown(link) != current:
            name = link.relative_to(folder).with_suffix("").as_posix()
            (older if current else left)[name] = None
    return list(older), list(left)


def outdated_notes(plan: Plan, root: Path) -> list[str]:
    """What `outdated` finds, in a sentence each; none if there is nothing."""
    older, left = outdated(plan, root)
    where = f"results/{plan.config.name}"
    notes = []
    if older:
        notes.append(
            f"{_counted(older)} in {where} of an older plan: {_listed(older)}; "
            "`make run` makes what is older anew"
        )
    if left:
        notes.append(
            f"{_counted(left)} in {where} of an older plan, and not in this one at all: "
            f"{_listed(left)}; delete what is no longer wanted"
        )
    return notes


def _links(root: Path, config: str) -> Iterator[Path]:
    for kind in ("figures/*", "tables/*", "policies/*", "explorer.html"):
        for files in (f"*/{kind}", kind):  # of a task, and of all
            yield from sorted(p for p in root.glob(f"results/{config}/{files}") if p.is_symlink())


def _shown(link: Path) -> str:
    """<stage>/<name>-<key>/<file> of what a link leads to."""
    return "/".join(Path(os.readlink(link)).parts[-3:])


def _counted(names: list[str]) -> str:
    one = len(names) == 1
    return (
        "1 figure, table, explorer or policy is"
        if one
        else f"{len(names)} figures, tables, explorers or policies are"
    )


def _listed(names: list[str]) -> str:
    more = [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []
    return ", ".join([*names[:NAMED], *more])
