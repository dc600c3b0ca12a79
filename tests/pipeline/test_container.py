"""Jobs in a container: what Snakemake asks of Apptainer, whose stand-in here runs it outside."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from moa.runtime.publishing import MANIFEST
from support.checkouts import copy_repo, snakemake
from support.tiny_store import tiny_plan

INSIDE = ("--software-deployment-method", "apptainer", "--apptainer-args=--nv")
# `exec`: everything up to the image is Apptainer's, what follows runs in it.
APPTAINER = """#!/bin/bash
[ "$1" = --version ] && { echo apptainer version 1.4.5; exit; }
printf '%s\\n' "$@" > asked.txt
until [[ "$1" = *.sif ]]; do shift; done
shift
exec env -i "PATH=$IMAGE_PATH" "$@"
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    copy_repo(tmp_path)
    tools = tmp_path / "tools"
    inside = tmp_path / "image" / "bin"
    for folder in (tools, inside):
        folder.mkdir(parents=True)
    (tools / "apptainer").write_text(APPTAINER)
    (tools / "apptainer").chmod(0o755)
    (inside / "python3").write_text(f'#!/bin/sh\necho inside\nexec {sys.executable} "$@"\n')
    (inside / "python3").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("IMAGE_PATH", f"{inside}:/usr/bin:/bin")
    return tmp_path


def test_a_job_runs_in_the_image_with_the_images_python(checkout):
    (entry,) = (e for e in tiny_plan(Path("s")).entries.values() if e.stage == "data")
    target = f"results/store/{entry.rel}/{MANIFEST}"
    _, output = snakemake(checkout, *INSIDE, "--", target, check=False)
    assert "there is no" in output and "`make container` builds it" in output
    image = checkout / "containers" / "moa.sif"
    image.parent.mkdir()
    image.touch()
    jobs, output = snakemake(checkout, *INSIDE, "--", target)
    assert jobs == {"prepare_data": 1} and (checkout / target).exists()
    asked = (checkout / "asked.txt").read_text()
    assert asked.startswith(f"exec\n--home\n{checkout}\n--nv\n")
    assert f"\n{image}\nbash\n-c\nset -euo pipefail; " in asked
    assert "HF_HUB_OFFLINE=1" in asked  # all that a job is told is told inside
    log = checkout / "results/logs/data" / f"{entry.rel.removeprefix('data/')}.log"
    assert log.read_text().startswith("inside\n")


def test_without_the_flag_there_is_no_container(checkout):
    _, output = snakemake(checkout, "--dry-run", "--printshellcmds")
    assert shlex.quote(sys.executable) in output and not (checkout / "asked.txt").exists()


@pytest.mark.parametrize("name", ["Dockerfile", "moa.def"])
def test_both_images_pin_the_same_base_and_install_the_same(name):
    folder = Path(__file__).parents[2] / "containers"
    text = (folder / name).read_text()
    assert "debian:bookworm-20250929-slim" in text
    for file in ("containers/install.sh", "requirements.lock", "requirements-smollm2.lock"):
        assert file in text
    subprocess.run(["sh", "-n", folder / "install.sh"], check=True)
    bare = [line for line in (folder.parent / "requirements.lock").read_text().splitlines() if line]
    assert all("==" in line for line in bare if not line.startswith("#"))
