"""The plan of a config: all its entries, and the stable paths that show some of them.

Made whenever the workflow is parsed: from the config, from source files, and from the names under
which the store has entries.
"""

from __future__ import annotations

import os
from pathlib import Path

from moa.runtime.errors import ConfigError, NotInstalled
from moa.runtime.hub_lock import Repository
from moa.runtime.publishing import is_published
from moa.workflow.checks import packages
from moa.workflow.config import Config, Task, resolve
from moa.workflow.entries import Catalogue, Entry
from moa.workflow.graph import run_entries, sft_policy, shared_entries
from moa.workflow.inherit import read_config
from moa.workflow.keys import library_versions
from moa.workflow.outputs import Made, Views, outputs
from moa.workflow.sources import pin, repositories


class Plan:
    """entries: by folder, relative to the store. views: stable path -> an entry and a file in it.
    repositories: what the config takes from the hub.

    ends: (task, run, seed) -> the entries in which that run ends, its scores and its likelihoods.
    missing: the version of a library that is not installed, which makes keys that no entry has.
    Raises: ConfigError if two runs are the same thing under two names; NotInstalled if a package is
    missing, and `missing` is not given.
    """

    def __init__(self, config: Config, missing: str | None = None) -> None:
        self.config = config
        self.views: Views = {}
        self.ends: dict[tuple[str, str, int], list[Entry]] = {}
        self.repositories: set[Repository] = set()
        catalogue = Catalogue(Path(config.store), missing)
        for task in config.tasks.values():
            library_versions(packages(task.operation, task.policy.base), missing)
            catalogue.operation, catalogue.pins = task.operation, pin(task)
            self.repositories |= repositories(task)
            shared = shared_entries(catalogue, task)
            made: Made = {}
            for seed in config.seeds:
                start = {**shared, "sft": sft_policy(catalogue, task, seed, shared)}
                for run in [*task.runs, *task.sweep]:
                    roles = run_entries(catalogue, task, run, seed, start)
                    made.setdefault(run.name, {}).update(roles)
                    ends = [e for role, e in roles.items() if not role.startswith("trained/")]
                    self.ends[task.name, run.name, seed] = ends
            self._check_distinct(task, config.seeds[0])
            self.views |= outputs(catalogue, config.name, task, made, shared)
        self.entries: dict[str, Entry] = catalogue.entries

    def _check_distinct(self, task: Task, seed: int) -> None:
        for among in (task.runs, task.sweep):
            found: dict[tuple[str, ...], str] = {}
            for run in among:
                ends = tuple(entry.key for entry in self.ends[task.name, run.name, seed])
                if ends in found:
                    raise ConfigError(
                        f"runs.{run.name}: it is the same as runs.{found[ends]} to the last setting, so "
                        "both would show one result under two names: change a setting, or remove one"
                    )
                found[ends] = run.name


def read_plan(path: Path, missing: str | None = None) -> Plan:
    """The plan of a config file. missing: as Plan has it.

    Raises: ConfigError that names the file; NotInstalled, which is one, for what is not installed.
    """
    try:
        return Plan(resolve(read_config(path)), missing)
    except NotInstalled as error:
        raise NotInstalled(f"{path}: {error}") from None
    except (OSError, ConfigError) as error:
        raise ConfigError(f"{path}: {error}") from None


def sync_views(plan: Plan, store: Path, root: Path) -> None:
    """Make every stable path below `root` a link to its current entry, or nothing.

    A path whose entry is not in the store is removed, so the workflow manager sees it as missing:
    the store alone decides what is up to date. `ls -l` on a figure names the entry it came from.
    """
    for path, (entry, file) in plan.views.items():
        link_view(root / path, store / entry.rel / file, published=is_published(store / entry.rel))


def link_view(link: Path, target: Path, *, published: bool = True) -> None:
    """Point one stable path at a file of the store (relative, so that both can be moved together)."""
    if not published:
        if link.is_symlink():
            link.unlink()
        return
    relative = os.path.relpath(target, link.parent)
    if link.is_symlink() and os.readlink(link) == relative:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    os.symlink(relative, temporary)
    os.replace(temporary, link)
