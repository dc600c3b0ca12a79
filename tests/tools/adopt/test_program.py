"""The program itself, in a copy of the repository whose code is changed for real."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from moa.runtime.publishing import read_manifest
from support.adopting import TRAINER, WHY
from support.paths import REPO
from support.tiny_store import tiny_config


@pytest.fixture
def checkout(tmp_path):
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPO / "workflow_scripts", tmp_path / "workflow_scripts", ignore=ignore)
    (tmp_path / "config").mkdir()
    shutil.copy(REPO / "config" / "paper_numbers.yaml", tmp_path / "config")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_config("results/store")))
    shutil.copy(REPO / "Makefile", tmp_path)
    return tmp_path


def run(checkout, *arguments):
    return subprocess.run(
        [
            sys.executable,
            "workflow_scripts/adopt_entries.py",
            "--configfile",
            "tiny.yaml",
            *arguments,
        ],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_lists_adopts_and_then_finds_nothing_to_do(checkout, plan, store):
    script = checkout / "workflow_scripts" / TRAINER
    script.write_text(script.read_text() + '\nprint("a harmless line")\n')
    before = set(store.glob("*/*"))
    listed = run(checkout)
    assert listed.returncode == 0, listed.stderr
    assert f"{TRAINER} changed (1 entry)" in listed.stdout
    assert re.search(r"sft/safety-s0-\w+ +\w{12} +train_sft.py changed\n", listed.stdout)
    assert re.search(r"score/mi_epo-safety-s0-\w+ +\w{12} +adopted inputs\n", listed.stdout)
    assert "figure/" not in listed.stdout and "Nothing was adopted" in listed.stdout
    empty = run(checkout, "--why", " ")
    assert empty.returncode == 1 and "WHY is empty" in empty.stderr
    assert set(store.glob("*/*")) == before

    done = run(checkout, "--why", WHY)
    assert done.returncode == 0, done.stderr
    new = set(store.glob("*/*")) - before
    assert f"Adopted: {len(new)} entries." in done.stdout and new
    assert {read_manifest(folder)["adopted"]["why"] for folder in new} == {WHY}
    again = run(checkout)
    assert "0 entries" in again.stdout and "WHY" not in again.stdout
    status = subprocess.run(
        [sys.executable, "workflow_scripts/show_status.py", "--configfile", "tiny.yaml"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    held = [folder for folder in new if folder.parent.name != "evaluate"]  # receipts hold nothing
    assert f"{len(held)} of those done were adopted" in status.stdout


def test_make_hands_over_any_reason_and_says_nothing_of_one_that_is_not_given(checkout):
    def commands(*arguments):
        inherited = ("WHY", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")  # if make runs this test
        environment = {k: v for k, v in os.environ.items() if k not in inherited}
        command = ["make", "--dry-run", "--assume-old=setup", "CONFIG=my configs/a.yaml", "adopt"]
        done = subprocess.run(
            [*command, *arguments],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        lines = done.stdout[done.stdout.index(".venv/bin/python workflow_scripts/adopt") :]
        show = "import json, sys; print(json.dumps(sys.argv[1:]))"
        quoted = lines.replace(".venv/bin/python", f"{sys.executable} -c '{show}'", 1)
        told = subprocess.run(quoted, shell=True, capture_output=True, text=True, check=True)
        return json.loads(told.stdout)[1:]

    config = ["--configfile", "my configs/a.yaml"]
    assert commands() == config
    assert commands("WHY=") == [*config, "--why", ""]
    assert commands("WHY=for $5 and $HOME") == [*config, "--why", "for $5 and $HOME"]
    assert commands(f"WHY={WHY}, it's `safe`") == [*config, "--why", f"{WHY}, it's `safe`"]
