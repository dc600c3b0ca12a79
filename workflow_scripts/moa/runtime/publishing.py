"""Publishing entries: a folder appears in the store whole, with its manifest, or not at all.

`<store>/<stage>/<name>-<key>/` holds what a job made, its `spec.json` (all that went in), its
`log.txt` and its `manifest.json` (digests of what came out, versions, commit, hardware, time).
A folder without a manifest is not a result. A job works in `<store>/../work/<key>/`: `out/` is
renamed into the store at the end, `checkpoints/` survives a kill, so that a retry resumes, and
`attempts.jsonl` tells what became of every start.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from moa.runtime.attempts import read_attempts
from moa.runtime.files import file_digest, timestamp, write_json
from moa.runtime.settings import OperationSettings

MANIFEST = "manifest.json"
SEAL = ".manifest.json"  # the manifest again, out of the workflow manager's sight


@dataclass
class Job:
    """What a script gets: its parameters, its inputs' folders, and where to write.

    inputs: role -> folder of a published upstream entry. out: the folder that will be
    published. checkpoints: a folder that outlives a killed job. notes: facts for the manifest.
    main: whether this process writes `out`; of a job's several processes one does.
    """

    spec: dict[str, Any]
    inputs: dict[str, Path]
    out: Path
    checkpoints: Path
    notes: dict[str, Any] = field(default_factory=dict)
    main: bool = True

    @property
    def name(self) -> str:
        return self.spec["name"]

    @property
    def params(self) -> dict[str, Any]:
        return self.spec["params"]

    @property
    def operation(self) -> OperationSettings:
        return OperationSettings.model_validate(self.spec["operation"])

    @property
    def seed(self) -> int:
        return self.spec["seed"] or 0


def is_published(folder: Path) -> bool:
    """Whether a folder of the store is a result: its manifest is the last thing written to it."""
    return (folder / MANIFEST).is_file()


def work_folder(store: Path, key: str) -> Path:
    """Where the job with this key works: beside the store, so that publishing is one rename."""
    return store.parent / "work" / key


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a published entry. Raises FileNotFoundError for anything else."""
    if not is_published(folder):
        raise FileNotFoundError(
            f"{folder} has no {MANIFEST}, so it is not a result: run the job that makes it"
        )
    return json.loads((folder / MANIFEST).read_text())


def is_main() -> bool:
    """Whether this is the only or the first of a job's processes (RANK is torch.distributed's)."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def publishing(spec: dict[str, Any], out: Path) -> Iterator[Job]:
    """Run the body with a `Job`; on success publish its folder at `out`, else publish nothing.

    In a job's further processes the body runs as well, and nothing is written for them.
    Raises: FileNotFoundError if an upstream entry is not published.
    """
    store = out.resolve().parent.parent
    work = work_folder(store, out.name.rsplit("-", 1)[1])
    inputs = {role: store / rel for role, rel in spec["inputs"].items()}
    for folder in inputs.values():
        read_manifest(folder)
    staging = work / "out"
    job = Job(spec, inputs, staging, work / "checkpoints", main=is_main())
    if not job.main:
        yield job
        return
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    started = time.time()
    yield job
    if (work / "log.txt").exists():
        shutil.copyfile(work / "log.txt", staging / "log.txt")
    write_json(staging / "spec.json", spec)
    _open_to_readers(staging)
    put_in_store(staging, out, _manifest(job, started, work))
    shutil.rmtree(work, ignore_errors=True)


def put_in_store(staging: Path, out: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest and its seal into a finished folder and rename it into the store."""
    write_json(staging / MANIFEST, manifest)
    shutil.copyfile(staging / MANIFEST, staging / SEAL)
    _move_into_place(staging, out)


def restore(out: Path, planned: float) -> bool:
    """Put back the manifest of an entry that another checkout published after `planned`.

    A workflow manager deletes a job's declared outputs before it runs it, so the manifest that
    appeared after it planned the job (seconds since the epoch) is gone. Returns: whether it was so.
    """
    seal = out / SEAL
    if not seal.is_file() or seal.stat().st_mtime < planned:
        return False
    write_json(out / MANIFEST, json.loads(seal.read_text()))
    return True


def _open_to_readers(folder: Path) -> None:
    """safetensors are written 0600; a shared store is for others too."""
    for path in folder.rglob("*"):
        if not path.is_symlink():  # a link leads to a file that is not ours
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))


def _move_into_place(staging: Path, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(staging, out)  # also over the empty folder that the workflow manager made
    except OSError:
        if not out.is_dir():
            raise
        old = out.with_name(f".{out.name}.old-{os.getpid()}")  # an entry made anew by force
        os.rename(out, old)
        os.rename(staging, out)
        shutil.rmtree(old)


def _manifest(job: Job, started: float, work: Path) -> dict[str, Any]:
    files = sorted(p for p in job.out.rglob("*") if p.is_file())
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "key": job.checkpoints.parent.name,
        "files": {p.relative_to(job.out).as_posix(): file_digest(p) for p in files},
        "notes": job.notes,
        "git_commit": _git_commit(),
        "started": timestamp(started),
        "wall_seconds": round(time.time() - started, 2),
        "max_rss_mb": round(peak_kib / 1024, 1),
        "hardware": {"machine": platform.machine(), "cpus": os.cpu_count(), **_gpus()},
        "versions": {"python": platform.python_version(), **_installed_versions()},
        "attempts": read_attempts(work),
    }


def _git_commit() -> str | None:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _gpus() -> dict[str, Any]:
    torch = sys.modules.get("torch")  # a job that never needed torch must not load it for this
    if torch is None or not torch.cuda.is_available():
        return {}
    return {"gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]}


def _installed_versions() -> dict[str, str]:
    names = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "numpy", "pandas")
    loaded = [n for n in names if n in sys.modules]
    return {n: metadata.version(n) for n in loaded}
