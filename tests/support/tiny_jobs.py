"""The tiny config's entries, made by the scripts themselves without Snakemake."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import yaml

from moa.runtime.files import write_json
from moa.runtime.publishing import is_published, publishing, work_folder
from moa.workflow.config import resolve
from moa.workflow.entries import Entry
from moa.workflow.jobs import parts_of
from moa.workflow.plan import Plan
from moa.workflow.stages import STAGES
from support.paths import REPO, TINY


class TinyJobs:
    """A plan over a changed tiny config, and its jobs as commands."""

    def __init__(self, store: Path, **changes: Any) -> None:
        config = yaml.safe_load(TINY.read_text())
        for section, values in changes.items():
            config[section] = {**config.get(section, {}), **values}
        n_train = config.pop("data", {}).get("n_train")
        if n_train:
            config["tasks"]["safety"]["data"]["n_train"] = n_train
        self.store = store
        self.plan = Plan(resolve({**config, "store": str(store)}))

    def entry(self, stage: str, name: str = "") -> Entry:
        """The one entry of a stage whose name starts so."""
        found = [
            a
            for a in self.plan.entries.values()
            if a.stage == stage and a.name.startswith(name) and "metrics" not in a.name
        ]
        assert len(found) == 1, [a.rel for a in found]
        return found[0]

    def folder(self, entry: Entry) -> Path:
        return self.store / entry.rel

    def work(self, entry: Entry) -> Path:
        return work_folder(self.store, entry.key)

    def command(self, entry: Entry, processes: int = 1) -> list[str]:
        """The command that makes one entry; its inputs have to be there, but for the parts of a block."""
        for made in (*parts_of(entry), entry):
            spec = self.work(made) / "spec.json"
            spec.parent.mkdir(parents=True, exist_ok=True)
            write_json(spec, made.spec)
        launcher = [sys.executable]
        if processes > 1:
            launcher += ["-m", "torch.distributed.run", "--standalone"]
            launcher += [f"--nproc_per_node={processes}"]
        script = REPO / "workflow_scripts" / f"{STAGES[entry.stage].script}.py"
        return [*launcher, str(script), "--spec", str(spec), "--out", str(self.folder(entry))]

    def make(self, entry: Entry, processes: int = 1) -> Path:
        """Make an entry by its script and, before it, whatever it needs. Returns: its folder."""
        for needed in self.plan.jobs.before(entry):
            make_here(self.store, needed)
        _run(self.command(entry, processes))
        return self.folder(entry)

    def make_here(self, entry: Entry) -> Path:
        """The same in this process, unless it is there. Returns: its folder."""
        make_here(self.store, entry)
        return self.folder(entry)

    @staticmethod
    def run_script(script: Path, spec: dict[str, Any], out: Path) -> None:
        """Run any checkout's script on a spec."""
        path = out.parent / f"{out.name}.spec.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, spec)
        _run([sys.executable, str(script), "--spec", str(path), "--out", str(out)])


def make_here(store: Path, entry: Entry) -> None:
    """Make an entry in this process and, before it, whatever it needs; another would have to start.

    Each by its own script, also the parts of a block.
    """
    for needed in entry.inputs.values():
        make_here(store, needed)
    if not is_published(store / entry.rel):
        with publishing(entry.spec, store / entry.rel) as job:
            if not parts_of(entry):  # a receipt holds nothing
                torch.set_num_threads(1)  # as a script of `run_script` has, and most keep
                import_module(STAGES[entry.stage].script).main(job)
                torch.set_num_threads(1)


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-12000:]
