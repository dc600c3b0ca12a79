"""What is expected of a Snakemake workflow: its linter, its catalogue, a config to try it with."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml

from support.checkouts import copy_repo, snakemake
from support.paths import CONFIG, REPO

TRIAL = ".test/config/config.yaml"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")
    copy_repo(folder)
    (folder / TRIAL).parent.mkdir(parents=True)
    shutil.copy(REPO / TRIAL, folder / TRIAL)
    return folder


def known_complaints():
    """(complaint, rule or file) of every exception that CONTRIBUTING.md gives a reason for."""
    text = (REPO / "CONTRIBUTING.md").read_text()
    rows = re.search(r"^\| complaint \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.M)
    assert rows is not None
    found = set()
    for row in rows[1].splitlines():
        complaint, of, why = (cell.strip() for cell in row.strip("|").split("|"))
        assert why
        found |= {(complaint, name) for name in re.findall(r"`(.+?)`", of)}
    return found


def test_the_linter_has_no_complaint_but_those_that_are_explained(checkout):
    command = [sys.executable, "-m", "snakemake", "--lint", "--configfile", TRIAL]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    found, of = set(), None
    for line in done.stderr.splitlines():
        if about := re.match(r"Lints for (?:rule (\S+) \(.*\)|snakefile (\S+)):$", line):
            of = about[1] or about[2].removeprefix(f"{checkout}/")
        elif complaint := re.match(r"    \* (.+):$", line):
            found.add((complaint[1], of))
    known = known_complaints()
    everywhere = {complaint for complaint, of in known if of == "every rule"}
    rules = "".join(path.read_text() for path in (REPO / "rules").glob("*.smk"))
    for name in re.findall(r"^rule (\w+):\n(?:    .*\n|\n)*?    shell:", rules, re.M):
        known |= {(complaint, name) for complaint in everywhere}
    assert found == {row for row in known if row[1] != "every rule"}


def test_the_config_for_trials_is_a_whole_run(checkout):
    jobs, _ = snakemake(checkout, "--dry-run", config=TRIAL)
    demo, _ = snakemake(checkout, "--dry-run", config="config/demo.yaml")
    assert jobs == demo and "write_explorer" in jobs


def test_what_the_catalogue_shows_runs(checkout):
    usage = yaml.safe_load((REPO / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    flags = usage["mandatory-flags"]["flags"].split()
    command = [sys.executable, "-m", "snakemake", *flags, "--dry-run", "--quiet"]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    deployment = usage["software-stack-deployment"]
    text = "".join(path.read_text() for path in (REPO / "rules").glob("*.smk"))
    assert deployment["apptainer"] == ("\ncontainer:" in text)
    assert deployment["conda"] == ("conda:" in text)


def test_every_config_is_named_where_configs_are_listed():
    text = (CONFIG / "README.md").read_text()
    named = set(re.findall(r"`(\w+(?:\.lock)?\.(?:yaml|json))`", text))
    assert named == {path.name for path in CONFIG.iterdir() if path.suffix in (".yaml", ".json")}
