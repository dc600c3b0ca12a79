"""What jobs ask of a cluster, or of one machine. `operation` in the config decides, which enters no key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moa.runtime.errors import ConfigError
from moa.workflow.entries import Entry
from moa.workflow.stages import STAGES

UNSET = "unset"  # what profiles/slurm/config.yaml has where a user's own entry belongs
SITE = {
    "slurm_account": "the account that pays (`sacctmgr show assoc user=$USER` lists yours)",
    "slurm_partition": "a partition with A100s (`sinfo` lists them)",
}
# NVIDIA's driver, under Linux and under WSL. To ask torch would take seconds whenever the rules are parsed.
GPU_FILES = ("dev/nvidia[0-9]*", "usr/lib/wsl/lib/libcuda.so*")


def gpus_of(entry: Entry) -> int:
    """GPUs of a job: one per process, and as many for the oracles if they have their own."""
    stage, operation = STAGES[entry.stage], entry.spec["operation"]
    if not stage.gpu:
        return 0
    processes = operation["processes"] if stage.trains else 1
    own = stage.with_oracles and operation["oracle_placement"] == "second_gpu"
    return processes * (2 if own else 1)


def has_gpu(environment: Mapping[str, str], root: Path = Path("/")) -> bool:
    """Whether jobs that are started here may compute on a GPU, and not all on CPUs.

    environment: whose CUDA_VISIBLE_DEVICES, empty or -1, hides the GPUs, as from torch.
    """
    hidden = environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and any(next(root.glob(files), None) for files in GPU_FILES)


def launcher_of(entry: Entry, python: str) -> str:
    """The command that starts a training script: torch's launcher for several processes."""
    processes = entry.spec["operation"]["processes"]
    if processes == 1:
        return python
    # The launcher passes these signals on, so that every process saves and leaves.
    handled = "TORCHELASTIC_SIGNALS_TO_HANDLE=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"
    run = f"-m torch.distributed.run --standalone --nproc_per_node={processes}"
    return f"{handled} {python} {run}"


def check_site(default_resources: Mapping[str, Any]) -> None:
    """Raise ConfigError if the Slurm profile still lacks what only its user knows.

    default_resources: name -> the expression that stands in the profile.
    """
    for name, what in SITE.items():
        if default_resources.get(name) == UNSET:
            raise ConfigError(f"profiles/slurm/config.yaml: {name} is not set; put {what} there")
