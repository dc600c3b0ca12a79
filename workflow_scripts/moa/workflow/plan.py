"""The plan of a config: all its entries, and the stable paths that show some of them.

Made whenever the workflow is parsed: from the config, from source files, and from the names under
which the store has entries.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from moa.runtime.errors import ConfigError
from moa.runtime.hub_lock import Repository
from moa.runtime.publishing import is_published
from moa.workflow.config import resolve, task_sections
from moa.workflow.entries import Catalogue, Entry
from moa.workflow.outputs import Made, Views, reports
from moa.workflow.sources import repositories
from moa.workflow.stages import run_entries, sft_policy, shared_entries


class Plan:
    """entries: by folder, relative to the store. views: stable path -> an entry and a file in it.
    repositories: what the config takes from the hub.

    ends: (task, run, seed) -> the entries in which that run ends, its scores and its likelihoods.
    config: as `moa.workflow.config.resolve` returns it.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.views: Views = {}
        self.ends: dict[tuple[str, str, int], list[Entry]] = {}
        self.repositories: set[Repository] = set()
        catalogue = Catalogue(Path(config["store"]))
        for task in config["tasks"]:
            s = task_sections(config, task)
            catalogue.operation = s["operation"]
            self.repositories |= repositories(s)
            shared = shared_entries(catalogue, task, s)
            made: Made = {}
            for seed in config["seeds"]:
                start = {**shared, "sft": sft_policy(catalogue, task, s, seed, shared)}
                for run in [*s["runs"], *s["sweep_runs"]]:
                    roles = run_entries(catalogue, task, s, run, seed, start)
                    made.setdefault(run["name"], {}).update(roles)
                    ends = [a for role, a in roles.items() if not role.startswith("trained/")]
                    self.ends[task, run["name"], seed] = ends
            self.views |= reports(catalogue, config, task, s, made, shared)
        self.entries: dict[str, Entry] = catalogue.entries


def read_plan(path: Path) -> Plan:
    """The plan of a config file.

    Raises: ConfigError that names the file, also for what it depends on and is not installed.
    """
    try:
        return Plan(resolve(yaml.safe_load(path.read_text())))
    except (OSError, yaml.YAMLError, ConfigError, ModuleNotFoundError) as error:
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
