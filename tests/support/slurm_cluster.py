"""A real one-node Slurm of its own: munged, slurmctld and slurmd, on free ports, below one folder.

GPUs (two, unless a test wants more), 64 cores and 1 TB are declared for scheduling only (the device
files are empty), so jobs are placed and limited as on a GPU node and run on the CPU there is. No
accounting, no systemd. Only processes started here are stopped, by their ids.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from support.checkouts import edited

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")

SLURM_CONF = """
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2
GresTypes=gpu
ReturnToService=2
MinJobAge=300
KillWait=30
OverTimeLimit=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=64 RealMemory=1000000 Gres=gpu:a100:{gpus} State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
NEEDED = [  # what a test file on a cluster is marked with
    pytest.mark.workflow,
    pytest.mark.skipif(bool(MISSING), reason=f"Slurm is not installed: no {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="slurmd needs root"),
]


def adapt_profile(checkout: Path) -> Path:
    """Fit a checkout's Slurm profile to the cluster, as a user would. Returns: its path.

    And ask Slurm for the state of jobs more often, which costs nothing here; and let each job have one
    thread: Snakemake passes its threads on to OpenMP, and several jobs that spin on two cores are
    many times slower.
    """
    (checkout / "slurm").symlink_to("profiles/slurm")
    profile = checkout / "profiles/slurm/config.yaml"
    edited(profile, "  slurm_account: unset\n", "")
    edited(profile, "slurm_partition: unset", "slurm_partition: test")
    profile.write_text(profile.read_text().replace(": 8\n", ": 1\n"))
    profile.write_text(
        profile.read_text()
        + "slurm-no-account: true\n"
        + "slurm-status-command: squeue\n"
        + "slurm-init-seconds-before-status-checks: 2\n"
        + "seconds-between-status-checks: 2\n"
    )
    return profile


class Cluster:
    """Started on entering, stopped on leaving. `env` is what a client needs."""

    def __init__(self, folder: Path, gpus: int = 2) -> None:
        self.folder = folder
        self.gpus = gpus
        self.env = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}",
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Cluster:
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir(parents=True)
        # The plugin starts srun without SLURM_CONF, which a cluster of its own folder needs.
        srun = self.folder / "bin" / "srun"
        srun.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
        )
        srun.chmod(0o755)
        for i in range(self.gpus):
            (self.folder / f"gpu{i}").touch()
        host = socket.gethostname().split(".")[0]
        (self.folder / "gres.conf").write_text(
            f"NodeName={host} Name=gpu Type=a100 File={self.folder}/gpu[0-{self.gpus - 1}]\n"
        )
        (self.folder / "slurm.conf").write_text(
            SLURM_CONF.format(
                host=host,
                folder=self.folder,
                gpus=self.gpus,
                controller_port=_free_port(),
                node_port=_free_port(),
            )
        )
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        try:
            self._start_munge(key)
            self.start_controller()
            self._run("slurmd", "-D", "-f", str(self.folder / "slurm.conf"))
            self._wait_for_node()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if "slurmctld" in self._running:
            self.call("scancel", "--user=root", check=False)
        for name in ("slurmd", "slurmctld", "munged"):
            self.stop(name)

    def start_controller(self) -> None:
        """Start slurmctld; after a stop it takes up the state it saved."""
        self._run("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
        self._until("the controller answers", lambda: self.call("scontrol", "ping", check=False))

    def stop(self, name: str) -> None:
        """Stop one daemon that was started here."""
        process = self._running.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def call(self, *command: str, check: bool = True) -> str:
        """Output of a client command; without `check` an empty string if it fails."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout if done.returncode == 0 else ""

    def _start_munge(self, key: Path) -> None:
        parts = ("socket", "pid", "log", "seed")
        names = {
            "socket": "--socket",
            "pid": "--pid-file",
            "log": "--log-file",
            "seed": "--seed-file",
        }
        paths = [f"{names[part]}={self.folder}/munge.{part}" for part in parts]
        # --force: the folder of a test may be writable by its group.
        self._run("munged", "--foreground", "--force", f"--key-file={key}", *paths)
        self._until("munge is up", (self.folder / "munge.socket").exists)

    def _wait_for_node(self) -> None:
        self._until(
            "the node is idle",
            lambda: "idle" in self.call("sinfo", "--noheader", "--format=%T", check=False),
        )

    def _run(self, name: str, *arguments: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as output:
            self._running[name] = subprocess.Popen(
                [name, *arguments],
                env=self.env,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _until(self, what: str, true: object, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not true():  # type: ignore[operator]
            dead = [n for n, p in self._running.items() if p.poll() is not None]
            if dead or time.monotonic() > end:
                logs = "".join(p.read_text()[-1500:] for p in sorted(self.folder.glob("*.out")))
                raise RuntimeError(f"waited for: {what}; ended: {dead}; {logs}")
            time.sleep(0.3)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
