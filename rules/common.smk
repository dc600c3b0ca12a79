# Validate the config, plan the entries, and the few helpers that all rules share.

import json
import os
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

# This file's, not the main Snakefile's: a workflow that takes this one as a module has a checkout of its own.
CHECKOUT = Path(workflow.snakefile).parents[1]
SCRIPTS = CHECKOUT / "workflow_scripts"
if not SCRIPTS.is_dir():
    raise WorkflowError(
        "a Snakefile alone has no scripts to run: clone the repository, and name the clone's Snakefile"
    )
sys.path.insert(0, str(SCRIPTS))

from moa.workflow.resources import check_site, gpus_of, has_gpu, launcher_of
from moa.runtime.errors import ConfigError
from moa.workflow.config import resolve
from moa.workflow.inherit import merge, typed
from moa.workflow.jobs import is_void, parts_of
from moa.runtime.job import PLANNED_AT
from moa.workflow.plan import Plan
from moa.runtime.files import write_json
from moa.runtime.publishing import work_folder
from moa.runtime.yaml_files import read_yaml

# Another workflow may take this one as a module (docs/reuse.md): its files, and what it does on success,
# are its own, and it gives a mapping as config, which extends what lies in config/ here.
AS_MODULE = not workflow.modifier.is_main_snakefile()
# What the file says and, over it, the command line. What a config extends lies beside it.
SETTINGS = config if AS_MODULE else merge(config, typed(workflow.config_settings.config))
FILES = [] if AS_MODULE else [Path(file) for file in workflow.configfiles]
FOLDER = FILES[-1].parent if FILES else CHECKOUT / "config"

if workflow.modifier.path_modifier.replace_prefix("results/store") != "results/store":
    raise WorkflowError(
        "this module takes no `prefix` or `replace_prefix`, since keys name what is made: "
        "give its config a `store` and a `name` of its own"
    )
try:
    for file in FILES:
        read_yaml(file)  # what Snakemake read of it hides a key that stands twice
    PLAN = Plan(resolve(SETTINGS, FOLDER))
except ConfigError as error:
    raise WorkflowError(str(error))

STORE = Path(PLAN.config.store)
HUB = STORE.resolve() / "hub"  # filled by `prefetch`; to all other jobs the hub is switched off
LOGS = Path("results/logs")
IMAGE = CHECKOUT / "containers" / "moa.sif"
CONTAINED = DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method
if CONTAINED and not IMAGE.exists():
    raise WorkflowError(
        f"there is no {IMAGE}: `make container` builds it, or put a link to one there"
    )


# Not named where none is used, since Snakemake records the image that is named as the job's own.
container: str(IMAGE) if CONTAINED else None


# The interpreter that runs Snakemake has what jobs need; so has the container's.
PYTHON = "python3" if CONTAINED else shlex.quote(sys.executable)

if workflow.is_main_process:  # a job parses this file too
    os.environ[PLANNED_AT] = str(time.time())
else:
    # `scancel --signal=USR1` reaches this process as well as the job's own, which saves and leaves.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


# On one machine every job takes the same GPU, with a cache that fills what is free: they go one at a time, unless
# `--resources gpu=...` says otherwise. On CPUs nothing is limited but cores. Slurm, where there are nodes (the
# executor is not yet known here), gives each job GPUs of its own.
ONE_MACHINE = workflow.is_main_process and workflow.nodes is None
if ONE_MACHINE and "gpu" not in workflow.global_resources and has_gpu(os.environ):
    workflow.register_resource("gpu", 1)


# glibc keeps memory that tensors were in, up to 4 GiB of it: the kernel clears every page that it hands out
# again, which is a tenth of a small training job's time.
ALLOCATOR = "MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=4294967296"

# Before every command, and not `shell.prefix`, which is everybody's. Quiet libraries, so that a job's own
# lines can be read. The trap: a signal to the whole job must not end the shell before the script in it has saved.
PREFIX = (
    "export TRANSFORMERS_VERBOSITY=error HF_HUB_DISABLE_PROGRESS_BARS=1 "
    f"{ALLOCATOR} PYTHONWARNINGS=ignore::FutureWarning HF_HUB_OFFLINE=1 HF_HUB_CACHE={shlex.quote(str(HUB))}; "
    "trap : TERM USR1; "
)


onstart:
    try:
        check_site(
            {n: r.raw for n, r in workflow.resource_settings._parsed_default_resources.items()}
        )
    except ConfigError as error:
        raise WorkflowError(str(error))


wildcard_constraints:
    name=r"[A-Za-z0-9_-]+",
    key=r"[0-9a-f]{12}",


def manifest(stage):
    """The one declared output of a job: the manifest, which is the last file it publishes."""
    return str(STORE / stage / "{name}-{key}" / "manifest.json")


def job_log(stage, suffix="log"):
    return f"{LOGS}/{stage}/{{name}}-{{key}}.{suffix}"


def run_script(name, launcher=PYTHON):
    """The command of a job; its output goes to the terminal and to its log."""
    program = shlex.quote(str(SCRIPTS / f"{name}.py"))
    # Only the end of the script ends tee: what it says after a signal is logged, too.
    tee = "(trap '' INT TERM USR1; exec tee {log:q})"
    return (
        f"{PREFIX}{launcher} {program} --spec {{params.spec:q}} --out {{params.out:q}} 2>&1 | {tee}"
    )


def train_script(name):
    """The command of a training job: one process per GPU, if the config asks for several."""
    return run_script(name, launcher=f"{TENSORBOARD} {{params.launcher}}")


# Where trackers write, if the config asks for TensorBoard: it must outlive the job's work folder.
TENSORBOARD = f"TENSORBOARD_LOGGING_DIR={LOGS}/tensorboard/{{wildcards.name}}-{{wildcards.key}}"


def makes_something():
    """Whether Snakemake is about to run jobs, and not only to show what it would do (-n, --dag,
    --summary, ...). It knows when it asks for inputs and params, but not yet when this is parsed.
    """
    return workflow.executor_plugin is not None and not workflow.dryrun


def find(stage, wildcards):
    rel = f"{stage}/{wildcards.name}-{wildcards.key}"
    if rel not in PLAN.entries:
        raise WorkflowError(
            f"{rel} is not part of this config: its key may be that of older code or local data"
        )
    return PLAN.entries[rel]


def upstream_of(entry):
    """Manifests of what an entry is made from. Their age does not matter (`ancient`): another
    content would have another key, and so another path."""
    return [ancient(str(STORE / a.rel / "manifest.json")) for a in PLAN.jobs.before(entry)]


def evaluated(wildcards):
    """What a block is evaluated from. A receipt of what is no longer there does not count."""
    receipt = find("evaluate", wildcards)
    if workflow.is_main_process and is_void(receipt, STORE):
        workflow.dag.forcefiles.add(str(STORE / receipt.rel / "manifest.json"))
        if makes_something():  # or what is left of the block would be made anew as well
            shutil.rmtree(STORE / receipt.rel)
    return upstream_of(receipt)


def write_spec(entry):
    """The job's spec.json: a published entry's own, else written into the job's work folder."""
    published = STORE / entry.rel / "spec.json"
    if published.exists():
        return str(published)
    path = work_folder(STORE.resolve(), entry.key) / "spec.json"  # a store may be a link
    if makes_something():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_json(path, entry.spec)
        except FileNotFoundError:  # another checkout's job finished and removed the folder just now
            return str(published)
    return str(path)


def part_specs(wildcards):
    return [write_spec(part) for part in parts_of(find("evaluate", wildcards))]


def early(stage):
    """Jobs behind the first task's Pareto front go before others that could run: it is drawn soon."""
    return lambda wildcards: int(find(stage, wildcards).rel in PLAN.early)


def gpus(stage):
    """What a job asks of Slurm; on one machine with a GPU any number means that it has it to itself."""
    return lambda wildcards: gpus_of(find(stage, wildcards))


def launcher(stage):
    return lambda wildcards: launcher_of(find(stage, wildcards), PYTHON)


def upstream(stage):
    return lambda wildcards: upstream_of(find(stage, wildcards))


def spec(stage):
    return lambda wildcards: write_spec(find(stage, wildcards))


def out(stage):
    return lambda wildcards: str(STORE / stage / f"{wildcards.name}-{wildcards.key}")


def views(stage):
    """The stable paths that show an entry."""
    return lambda wildcards: [
        path for path, (entry, _) in PLAN.views.items() if entry is find(stage, wildcards)
    ]


# Point the stable paths at what a script published.
LINK = f" && {PYTHON} {shlex.quote(str(SCRIPTS / 'link_views.py'))} --entry {{params.out:q}} {{params.views:q}}"
