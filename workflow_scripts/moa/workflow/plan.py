"""The plan of a config: all its entries, and the stable paths that show some of them.

Made whenever the workflow is parsed: from the config, from source files, and from the names under
which the store has entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

from moa.runtime.errors import ConfigError, NotInstalled
from moa.runtime.hub_lock import Repository
from moa.workflow.config import Config, Task, resolve
from moa.workflow.entries import Catalogue, Entry, Inputs
from moa.workflow.graph import judge_entries, run_entries, sft_policy, shared_entries
from moa.workflow.inherit import read_config
from moa.workflow.jobs import Jobs
from moa.workflow.keys import library_versions
from moa.workflow.outputs import FRONT, Made, Views, outputs, pooled_table
from moa.workflow.policies import policy_views
from moa.workflow.sources import pin, repositories

CHECKOUT = Path(__file__).resolve().parents[3]  # where Snakemake is run


class Plan:
    """entries: by folder, relative to the store. views: stable path -> an entry and what it shows of it.
    repositories: what the config takes from the hub. shared, judges: task -> role -> what its runs start
    from, and what its judges need.

    ends: (task, run, seed) -> the entries in which that run ends, the receipts of its evaluation.
    early: folders of the jobs behind the first task's Pareto front, which are to run before all others.
    missing: the version of a library that is not installed, which makes keys that no entry has.
    Raises: ConfigError if two runs are the same thing under two names; NotInstalled if a package is
    missing, and `missing` is not given.
    """

    def __init__(self, config: Config, missing: str | None = None) -> None:
        self.config = config
        self.views: Views = {}
        self.shared: dict[str, Inputs] = {}
        self.judges: dict[str, Inputs] = {}
        self.ends: dict[tuple[str, str, int], list[Entry]] = {}
        self.repositories: set[Repository] = set()
        catalogue = Catalogue(Path(config.store), missing)
        metrics: dict[str, Entry] = {}
        for task in config.tasks.values():
            library_versions(
                task.operation.report_to, missing
            )  # of no entry, but they must be there
            catalogue.operation, catalogue.pins = task.operation, pin(task)
            self.repositories |= repositories(task)
            shared = self.shared[task.name] = shared_entries(catalogue, task)
            judges = self.judges[task.name] = judge_entries(catalogue, task, shared)
            made: Made = {}
            policies: Views = {}
            for seed in config.seeds:
                start = {**shared, "sft": sft_policy(catalogue, task, seed, shared)}
                for run in [*task.runs, *task.sweep]:
                    roles = run_entries(catalogue, task, run, seed, start, judges)
                    made.setdefault(run.name, {}).update(roles)
                    ends = [e for role, e in roles.items() if role.startswith("evaluate/")]
                    self.ends[task.name, run.name, seed] = ends
                # Those of a sweep are there to be compared.
                for run in (run for run in task.runs if run.method.has_policy):
                    policies |= policy_views(catalogue, config.name, task, run, seed, start)
            self._check_distinct(task, config.seeds[0])
            metrics[task.name], files = outputs(catalogue, config.name, task, made, shared, judges)
            self.views |= files | policies
        self.views |= pooled_table(catalogue, config.name, metrics)
        self.entries: dict[str, Entry] = catalogue.entries
        self.jobs = Jobs(self.entries.values())
        front, _ = self.views[
            f"results/{config.name}/{next(iter(config.tasks))}/figures/{FRONT}.pdf"
        ]
        self.early = self.jobs.behind(front)

    def starts(self) -> list[Inputs]:
        """What `make check` looks at: what runs start from, and what judges need."""
        return [*self.shared.values(), *self.judges.values()]

    def checked(self, task: str) -> list[str]:
        """The folders of the entries that `make check` looks at for a task."""
        return sorted({e.rel for e in [*self.shared[task].values(), *self.judges[task].values()]})

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


def read_plan(
    path: Path,
    given: Mapping[str, Any] | None = None,
    checkout: Path = CHECKOUT,
    missing: str | None = None,
) -> Plan:
    """The plan of a config file, from wherever it is asked for.

    given: keys that a command line set, in place of the file's. checkout: what relative paths in the config
    (its store, local data) are relative to, as for a run there; the plan's store is absolute. missing: as
    Plan has it.
    Raises: ConfigError that names the file; NotInstalled, which is one, for what is not installed.
    """
    file = path.resolve()
    if not file.is_file():
        why = "it is a folder" if file.is_dir() else "there is no such file"
        raise ConfigError(f"{path}: {why}; name a config, such as config/synthetic.yaml")
    try:
        with chdir(checkout):
            config = resolve(read_config(file, given), file.parent)
            return Plan(replace(config, store=str(checkout / config.store)), missing)
    except NotInstalled as error:
        raise NotInstalled(f"{path}: {error}") from None
    except (OSError, ConfigError) as error:
        raise ConfigError(f"{path}: {error}") from None
