# Validate the config, plan the artefacts, and the few helpers that all rules share.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow_scripts"))

from moa.artefacts import Plan, sync_views
from moa.config import ConfigError, resolve
from moa.store import work_folder, write_json

try:
    PLAN = Plan(resolve(config))
except (ConfigError, ModuleNotFoundError) as error:
    raise WorkflowError(str(error))

STORE = Path(PLAN.config["store"])
LOGS = Path("results/logs")

if workflow.is_main_process:  # a job parses this file too, and must not touch what others make
    sync_views(PLAN, STORE, Path.cwd())


wildcard_constraints:
    name=r"[A-Za-z0-9_-]+",
    key=r"[0-9a-f]{12}",


def entry(stage):
    """The one declared output of a job: the manifest, which is the last file it publishes."""
    return str(STORE / stage / "{name}-{key}" / "manifest.json")


def job_log(stage, suffix="log"):
    return str(LOGS / stage / ("{name}-{key}." + suffix))


def run_script(name):
    """The command of a job; its output goes to the terminal and to its log."""
    script = Path(workflow.basedir) / "workflow_scripts" / f"{name}.py"
    return (
        f"{sys.executable} {script} --spec {{params.spec}} --out {{params.out}} 2>&1 | tee {{log}}"
    )


def find(stage, wildcards):
    rel = f"{stage}/{wildcards.name}-{wildcards.key}"
    if rel not in PLAN.artefacts:
        raise WorkflowError(f"{rel} is not part of this config: its key may be that of older code")
    return PLAN.artefacts[rel]


def upstream_of(artefact):
    """Manifests of what an artefact is made from. Their age does not matter (`ancient`): another
    content would have another key, and so another path."""
    return [ancient(str(STORE / a.rel / "manifest.json")) for a in artefact.inputs.values()]


def write_spec(artefact):
    """The job's spec.json, written into its work folder when the job is about to be made."""
    path = work_folder(STORE, artefact.key) / "spec.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, artefact.spec)
    return str(path)


def upstream(stage):
    return lambda wildcards: upstream_of(find(stage, wildcards))


def spec(stage):
    return lambda wildcards: write_spec(find(stage, wildcards))


def out(stage):
    return lambda wildcards: str(STORE / stage / f"{wildcards.name}-{wildcards.key}")


# Figures and tables are asked for by a stable path, which is a link to a file of the store.


def view(path):
    """The artefact behind a stable path, from the rule's wildcards."""

    def find(wildcards):
        found = PLAN.views.get(path.format(**wildcards))
        if found is None:
            raise WorkflowError(
                f"this config makes no {path.format(**wildcards)}; `snakemake --summary all` lists what it makes"
            )
        return found[0]

    return find


def view_inputs(path):
    return lambda wildcards: upstream_of(view(path)(wildcards))


def view_spec(path):
    return lambda wildcards: write_spec(view(path)(wildcards))


def view_out(path):
    return lambda wildcards: str(STORE / view(path)(wildcards).rel)


# Run a script, then point the stable paths at what it published.
LINK = f"{sys.executable} {Path(workflow.basedir) / 'workflow_scripts' / 'link_views.py'} --entry {{params.out}} {{output}}"
