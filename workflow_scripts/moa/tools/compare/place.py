"""Where a comparison is written: into a folder of the user's, all of it at the end, and never the store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from moa.runtime.errors import JobError
from moa.runtime.publishing import MANIFEST
from moa.workflow.outputs import EXPLORER, FIGURES

PARTS = ("tables", "figures")
SUCH = "name another folder, such as results/compare/mine"


def check_out(out: Path) -> None:
    """Raises: JobError if it is no folder of the user's own: a link, or of the workflow's results."""
    place = Path(os.path.realpath(out))
    near = (*place.glob("*"), *place.glob("*/*"), *place.parent.glob("*"))
    for folder in (place, *place.parents, *near):  # an entry, in one, or among them
        if all(os.path.exists(folder / name) for name in ("spec.json", MANIFEST)):
            raise JobError(f"{out} lies in the workflow's store, by {folder}: {SUCH}")
    if out.is_symlink():
        raise JobError(f"{out} is a link: name the folder that it leads to, {place}")
    if out.exists() and not out.is_dir():
        raise JobError(f"{out} is a file: {SUCH}")
    parts = [out / part for part in PARTS]
    if any(
        p.is_symlink() for p in (out / EXPLORER, *parts, *(p for x in parts for p in x.glob("*")))
    ):
        raise JobError(f"{out} shows results of the workflow: {SUCH}")


@contextmanager
def made_beside(out: Path) -> Iterator[Path]:
    """A folder to write into, whose files replace those in `out` once all are there.

    Other files in `out` stay, but for figures of an earlier comparison, which might have more.
    Raises: JobError if it cannot be written.
    """
    place = Path(os.path.realpath(out))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as made:
            yield Path(made)
            _move(Path(made), place)
    except OSError as error:
        raise JobError(
            f"{out} cannot be written ({error.strerror}: {error.filename}): {SUCH}"
        ) from None


def _move(made: Path, out: Path) -> None:
    new = {out / path.relative_to(made): path for path in made.rglob("*") if path.is_file()}
    figures = {out / "figures" / f"{name}.{form}" for name in FIGURES for form in ("pdf", "png")}
    for path in (*new, *figures):
        if path.is_dir():
            raise JobError(
                f"{path} is a folder, where a file is to be written: rename it, or {SUCH}"
            )
    for path, source in new.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, path)
    for path in figures - new.keys():
        path.unlink(missing_ok=True)
