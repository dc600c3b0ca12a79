"""Copies of this repository in which a test runs Snakemake, or which it edits."""

import json
import os
import shutil
import subprocess
import sys

from support.paths import REPO, TINY

PARTS = ("Snakefile", "rules", "config", "profiles", "workflow_scripts")


def copy_repo(target):
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in PARTS:
        source = REPO / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignore)
        else:
            shutil.copy(source, target / name)
    shutil.copy(TINY, target)


def snakemake(checkout, *arguments, config="tiny.yaml", check=True):
    """Run Snakemake in a checkout; returns (the numbers of jobs by rule that it ran, its output)."""
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local"]
    command += ["--cores", "2", "--configfile", config, *arguments]
    done = subprocess.run(
        command,
        cwd=checkout,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stdout[-6000:]
    jobs: dict[str, int] = {}
    for line in done.stdout.splitlines():
        if line.startswith(("rule ", "localrule ")):
            name = line.split()[1].rstrip(":")
            if name != "all" and "/" not in name:  # targets run nothing
                jobs[name] = jobs.get(name, 0) + 1
    return jobs, done.stdout


def add_oracle_kind(checkout, kind, source, fields="", base="KindSettings"):
    """An oracle kind as docs/extending.md has it: its file, its settings, its place in the union."""
    (checkout / f"workflow_scripts/moa/oracles/{kind}.py").write_text(source)
    name = f"{kind.title().replace('_', '')}Oracle"
    settings = checkout / "workflow_scripts/moa/oracles/settings.py"
    union = "AnyOracle = Annotated[\n    "
    own = f'class {name}({base}):\n    kind: Literal["{kind}"]\n{fields}\n\n'
    edited(settings, union, f"{own}{union}{name}\n    | ")


def planned(checkout, config, **overrides):
    """(stage, name, key) of every entry of a config of a checkout, planned by its own code, and lightly."""
    code = (
        "import json, sys, yaml; from moa.workflow.plan import Plan\n"
        "from moa.workflow.config import resolve\n"
        "plan = Plan(resolve(yaml.safe_load(open(sys.argv[1])) | json.loads(sys.argv[2])))\n"
        "heavy = {'torch', 'transformers', 'pandas', 'datasets', 'huggingface_hub'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "print(json.dumps([[a.stage, a.name, a.key] for a in plan.entries.values()]))"
    )
    return json.loads(said_by(checkout, code, config, json.dumps(overrides)))


def said_by(checkout, code, *arguments):
    """What a program prints that runs in a checkout, with its library."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=checkout,
        env={"PYTHONPATH": str(checkout / "workflow_scripts"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def edited(path, old, new):
    text = path.read_text()
    assert old in text, f"{old!r} is no longer in {path}"
    path.write_text(text.replace(old, new))


def links(folder):
    """name -> what it leads to."""
    return {path.name: os.readlink(path) for path in folder.iterdir()}


def status(checkout):
    """What `make status` says, from another folder."""
    script = checkout / "workflow_scripts" / "show_status.py"
    command = [sys.executable, str(script), "--configfile", str(checkout / "tiny.yaml")]
    return subprocess.run(command, cwd="/", check=True, capture_output=True, text=True).stdout
