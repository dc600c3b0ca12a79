"""Stores to adopt in."""

import shutil

import pytest

from moa.workflow import entries as planning
from support.tiny_store import publish, tiny_plan


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A store with all the entries of the code as it is."""
    store = tmp_path_factory.mktemp("published") / "store"
    files = {"value": "42", "sub/large": "weights"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moa.runtime.publishing._git_commit", lambda: "0123456789ab")  # saves time
        publish(store, tiny_plan(store).entries.values(), files)
    return store


@pytest.fixture
def plan(store, published):
    """A plan of the code as it is, with all its entries published."""
    shutil.copytree(published, store)
    return tiny_plan(store)


@pytest.fixture
def change(monkeypatch):
    """Plan from here on as if these files, or the versions of these libraries, were others."""

    def changed(*files, **versions):
        code_files, library_versions = planning.code_files, planning.library_versions
        monkeypatch.setattr(
            planning,
            "code_files",
            lambda *given: {
                name: digest[::-1] if name in files else digest
                for name, digest in code_files(*given).items()
            },
        )
        monkeypatch.setattr(
            planning,
            "library_versions",
            lambda *names: {n: versions.get(n, v) for n, v in library_versions(*names).items()},
        )

    return changed
