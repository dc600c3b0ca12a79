"""What kind of test each one is, by the folder it lies in, and the fixtures of several folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# For tests of laws, `*_laws.py`: the same examples in every run, however long a busy machine takes.
settings.register_profile("laws", derandomize=True, deadline=None, database=None)
settings.load_profile("laws")

TESTS = Path(__file__).parent
# Marks of all tests of a folder or a file. What has none of KINDS is a unit test.
MARKS = {
    "pipeline": ("workflow",),
    "pipeline/test_kills.py": ("workflow", "long"),
    "pipeline/test_views.py": ("workflow", "long"),
    "slurm": ("slurm", "long"),
    "training/test_methods.py": ("train",),
    "training/test_online.py": ("train",),
    "training/test_processes.py": ("train", "long"),
    "runtime/test_preemption.py": ("train",),
    "workflow/test_vector_blocks.py": ("train",),
}
KINDS = {"train", "workflow", "slurm"}


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    moved = [place for place in MARKS if not (TESTS / place).exists()]
    assert not moved, f"no longer there: {moved}"
    for item in items:
        path = item.path.relative_to(TESTS)
        for place in (path, *path.parents):
            for mark in MARKS.get(place.as_posix(), ()):
                item.add_marker(mark)
        if not KINDS & {mark.name for mark in item.iter_markers()}:
            item.add_marker("unit")
    # Workers take files in this order: what takes long must not be left for the end.
    slow = {item.path for item in items if item.get_closest_marker("unit") is None}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where a store may be made, with its work folders beside it."""
    return tmp_path / "results" / "store"
