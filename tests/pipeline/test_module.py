"""The workflow as a module of another one, by the text of docs/reuse.md, in a folder of its own."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from moa.workflow.config import resolve
from moa.workflow.origins import records
from moa.workflow.plan import Plan
from support.paths import CONFIG, REPO
from support.tiny_jobs import make_here

VIEW = "results/mine/safety/tables/summary.csv"
CHANGES = {
    "extends": "../tests/tiny.yaml",
    "runs": [{"name": "mo_odpo", "method": "mo_odpo"}],
}


def blocks():
    """file -> its text in the page."""
    text = (REPO / "docs" / "reuse.md").read_text()
    section = text.split("## As a module\n")[1].split("\n## ")[0]
    return dict(re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```$', section, re.M | re.S))


@pytest.fixture
def other(tmp_path):
    """A folder with the two files, but for where this repository is and for a config that takes seconds."""
    found = blocks()
    snakefile = found["Snakefile"].replace("/path/to/this/repository", str(REPO))
    (tmp_path / "Snakefile").write_text(snakefile)
    given = yaml.safe_load(found["config.yaml"])["moa"]
    given |= {**CHANGES, "tasks": {"safety": {"beta_w_sweep": []}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"moa": given}))
    return tmp_path


def snakemake(folder, *arguments, check=True):
    """Run Snakemake there. Returns: its output."""
    command = [sys.executable, "-m", "snakemake", "--profile", str(REPO / "profiles/local")]
    done = subprocess.run(
        [*command, "--cores", "2", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def rules(output):
    return set(re.findall(r"^(?:local)?rule (\S+):$", output, re.M))


def test_another_workflow_reads_what_this_one_makes(other):
    planned = rules(snakemake(other, "--dry-run"))
    assert {"all", "scores", "moa_train_online", "moa_write_tables"} <= planned
    assert "moa_draw_figure" not in planned and "moa_all" not in planned
    assert not (other / "results").exists()
    raw = yaml.safe_load((other / "config.yaml").read_text())["moa"]
    config = resolve({**raw, "store": str(other / "results" / "store")})
    for entry in Plan(config).entries.values():
        if entry.stage == "evaluate":  # with all before it, in this process
            make_here(other / "results" / "store", entry)
    assert rules(snakemake(other)) == {"all", "scores", "moa_compute_metrics", "moa_write_tables"}
    scores = (other / "scores.txt").read_text().splitlines()
    assert scores[0].startswith("run,") and scores[1].startswith("mo_odpo,")
    assert (other / VIEW).is_symlink()
    assert rules(snakemake(other)) == set()
    kept = other / "results" / "mine" / "config.json"
    assert json.loads(kept.read_text())["extends"] == str(REPO / "tests" / "tiny.yaml")
    # It is a config like any other, from wherever it is asked for.
    assert (
        json.loads(kept.with_name("plan.json").read_text())["config"] == "results/mine/config.json"
    )
    (plan,) = records(other / "results" / "store")  # so `make gc` keeps what it needs
    assert plan.there and {e.key for e in plan.origin.plan().entries.values()} == {
        e.key for e in Plan(config).entries.values()
    }
    status = [
        sys.executable,
        str(REPO / "workflow_scripts/show_status.py"),
        "--configfile",
        str(kept),
    ]
    said = subprocess.run(status, cwd="/", capture_output=True, text=True, check=True).stdout
    assert re.search(r"^mo_odpo/0 +\w+ +done", said, re.M), said


def test_names_without_a_prefix_are_those_of_the_profiles(other):
    snakefile = other / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("from moa as moa_*", "from moa exclude all"))
    planned = rules(snakemake(other, "--dry-run"))
    assert {"all", "scores", "train_online", "write_tables"} <= planned
    assert "draw_figure" in rules(
        snakemake(other, "--dry-run", "--", "results/mine/safety/figures/pareto_fronts.pdf")
    )


def test_the_other_workflows_commands_are_its_own(other):
    with (other / "Snakefile").open("a") as handle:
        handle.write(
            'rule env:\n    output: "env.txt"\n'
            '    shell: "echo ${{HF_HUB_OFFLINE-its own}} > {output}; trap -p >> {output}"\n'
        )
    snakemake(other, "--", "env.txt")
    assert (other / "env.txt").read_text() == "its own\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("moa.shown_by(TABLE)", "TABLE", f"has shown_by('{VIEW}') as input"),
        ('config["moa"]', 'config["moa"]\n    prefix:\n        "mine"', "takes no `prefix`"),
        ('config["moa"]', 'config["moa"] | {"run": []}', "run"),
    ],
    ids=["the link as input", "prefix", "a wrong key"],
)
def test_what_cannot_work_is_refused_with_the_mend(other, old, new, said):
    text = (other / "Snakefile").read_text()
    assert old in text
    (other / "Snakefile").write_text(text.replace(old, new))
    assert said in snakemake(other, "--dry-run", check=False)


def test_a_folder_without_scripts_is_refused(tmp_path):
    (tmp_path / "rules").mkdir()
    for name in ("Snakefile", "rules/common.smk"):
        (tmp_path / name).write_text((REPO / name).read_text())
    assert "clone the repository" in snakemake(
        tmp_path, "--configfile", str(CONFIG / "synthetic.yaml"), "--dry-run", check=False
    )
