"""The tree is kept: short files, few things to look at first, and tests where one looks for them."""

from __future__ import annotations

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
