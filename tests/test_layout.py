"""The tree is kept: short files, few things to look at first, and tests where one looks for them."""

from __future__ import annotations

import subprocess

import pytest

from support.paths import REPO, SCRIPTS

LONGEST = 400
MOA = SCRIPTS / "moa"
ROOMS = sorted(path.parent.name for path in MOA.glob("*/__init__.py"))


@pytest.mark.parametrize("folder", ["workflow_scripts", "tests", "benchmarks", "studies"])
def test_no_file_is_long(folder: str) -> None:
    lengths = {
        path.relative_to(REPO).as_posix(): len(path.read_text().splitlines())
        for path in (REPO / folder).rglob("*.py")
    }
    long = {path: lines for path, lines in lengths.items() if lines > LONGEST}
    assert not long, f"split by idea what has over {LONGEST} lines: {long}"


def test_the_library_is_a_few_rooms_and_equations() -> None:
    entries = {path.name for path in MOA.iterdir()} - {"__init__.py", "__pycache__"}
    assert len(entries) <= 13, f"put it into a room: {sorted(entries)}"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_its_tests(room: str) -> None:
    assert list((REPO / "tests" / room).rglob("test_*.py")), f"no tests in tests/{room}"


def test_tests_lie_in_the_room_they_test() -> None:
    folders = {path.name for path in (REPO / "tests").iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == {*ROOMS, "pipeline", "slurm", "support"}


@pytest.mark.parametrize("config", ["", "nope.yaml", "config", "it's mine.yaml"])
def test_make_names_a_config_that_is_not_there(config: str) -> None:
    command = ["make", "--no-print-directory", "config-there", f"CONFIG={config}"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert f"CONFIG={config}: there is no such file; name a config, such as" in done.stderr
    text = (REPO / "Makefile").read_text()
    for target in ("run", "check", "prefetch", "report", "status", "efficiency", "adopt"):
        assert f"\n{target}: config-there " in text
