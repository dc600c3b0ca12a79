"""What a plan was asked for with: said beside the views that it made, and kept by the store that it used.

A config file alone does not tell: `--config` may say otherwise, and two files may have one name.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moa.runtime.files import write_json
from moa.runtime.yaml_files import read_yaml
from moa.workflow.keys import canonical, canonical_json
from moa.workflow.plan import Plan, read_plan

PLAN_FILE = "plan.json"  # in results/<config>/: the plan that was run last
MAPPING_FILE = "config.json"  # there, too: the config that another workflow gave this one
RECORDS = "plans"  # folder of a store


@dataclass(frozen=True)
class Origin:
    """config: a file. given: keys that the command line set otherwise. checkout: the folder of the run."""

    config: Path
    given: dict[str, Any]
    checkout: Path

    @classmethod
    def of(cls, config: Path, settings: Mapping[str, Any], checkout: Path) -> Origin:
        """settings: what the workflow manager made of the file and the command line."""
        said = read_yaml(config) or {}
        given = {key: value for key, value in settings.items() if said.get(key) != value}
        return cls(config.resolve(), given, checkout.resolve())

    @property
    def label(self) -> str:
        """The file, as seen from its checkout, and what was given."""
        return _label(os.path.relpath(self.config, self.checkout), self.given)

    def plan(self, missing: str | None = None) -> Plan:
        """What it plans today, with today's code. missing: as Plan has it. Raises: ConfigError."""
        return read_plan(self.config, self.given, self.checkout, missing)


@dataclass(frozen=True)
class Record:
    """A plan that was run on a store. path: the file that says so; without it, it is forgotten."""

    path: Path
    origin: Origin

    @property
    def there(self) -> bool:
        """Whether its config still is where it was."""
        return self.origin.config.is_file() and self.origin.checkout.is_dir()


def write_mapping(path: Path, settings: Mapping[str, Any], folder: Path, store: Path) -> None:
    """Write a config that is in no file as one, which means the same from wherever it is read.

    folder: where what it extends lies.
    """
    kept = {**settings, "store": str(store.absolute())}
    if kept.get("extends") is not None:
        kept["extends"] = str((folder / str(kept["extends"])).resolve())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, kept)


def sign_views(plan: Plan, origin: Origin, root: Path) -> str | None:
    """Say in results/<config>/plan.json below `root` which plan its views are made by from now on.

    Returns: a sentence if that was another plan's folder; another in its settings, not in its code.
    """
    path = root / "results" / plan.config.name / PLAN_FILE
    new: dict[str, Any] = {
        "config": os.path.relpath(origin.config, root),
        "given": origin.given,
        "seeds": plan.config.seeds,
        "tasks": {
            name: [run.name for run in task.runs] for name, task in plan.config.tasks.items()
        },
        "plan": plan_digest(plan),
    }
    old: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    if old != new:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, new)
    if old is None or old["plan"] == new["plan"]:
        return None
    before, now = (f"{_label(s['config'], s['given'])} (plan {s['plan']})" for s in (old, new))
    return (
        f"results/{plan.config.name} shows another plan: until now that of {before}, "
        f"from now on that of {now}"
    )


def plan_digest(plan: Plan) -> str:
    """First 8 hex digits of sha256 over what is planned, whatever the code that makes it."""
    asked = [[e.stage, e.spec["seed"], canonical(e.spec["params"])] for e in plan.entries.values()]
    return hashlib.sha256(canonical_json(sorted(asked, key=canonical_json)).encode()).hexdigest()[
        :8
    ]


def record(plan: Plan, origin: Origin, store: Path) -> None:
    """Have a store remember a plan, so that its entries are no garbage while the config is there.

    Only what it was asked for with: what it plans is asked of today's code. A store that cannot be written
    to loses no entry either, so it is left as it is.
    """
    base = store.resolve()
    kept = {
        "checkout": os.path.relpath(origin.checkout, base),
        "config": os.path.relpath(origin.config, origin.checkout),
        "given": origin.given,
    }
    digest = hashlib.sha256(canonical_json(kept).encode()).hexdigest()[:8]
    path = base / RECORDS / f"{plan.config.name}-{digest}.json"
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, kept)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise


def records(store: Path) -> list[Record]:
    """All plans that a store remembers."""
    base = store.resolve()
    found = []
    for path in sorted((base / RECORDS).glob("*.json")):
        kept = json.loads(path.read_text())
        checkout = (base / kept["checkout"]).resolve()
        origin = Origin((checkout / kept["config"]).resolve(), kept["given"], checkout)
        found.append(Record(path, origin))
    return found


def _label(config: str, given: Mapping[str, Any]) -> str:
    shown = [f"{key}={value}" if len(str(value)) < 40 else key for key, value in given.items()]
    return f"{config} with {' '.join(shown)}" if shown else config
