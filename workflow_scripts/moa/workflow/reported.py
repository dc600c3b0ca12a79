"""What the report of a config shows, in which category and with which labels: its figures, tables and
explorers, and pages that are written for the report alone.

Asked for whenever the workflow is parsed, so it names files and reads none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moa.workflow.entries import Entry
    from moa.workflow.plan import Plan

# stage -> what the report calls its results, and file ending -> what it calls that form of them. Two forms
# become a switch, which shows the first in the alphabet.
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "figure": ("figures", {"png": "image", "pdf": "pdf"}),
    "table": ("tables", {"md": "page", "csv": "csv", "tex": "tex"}),
    "explorer": ("explorer", {"html": "page"}),
}
ALL = "all tasks"  # the category of what no single task has
PROVENANCE = "provenance"
CHECK = "check"
FOLDER = "report-pages"  # below results/<config>/; no task can be called so


@dataclass(frozen=True)
class Shown:
    """One file of the report.

    caption: a file, too. entry: whose result it is; None for a page of the report's own.
    """

    file: Path
    caption: Path
    category: str
    kind: str
    name: str
    form: str
    entry: Entry | None = None

    @property
    def labels(self) -> dict[str, str]:
        """Columns of the report's list."""
        return {"name": self.name.replace("_", " "), "format": self.form}


def reported(plan: Plan, root: Path) -> list[Shown]:
    """All that the report shows. root: the checkout, below which results/ is."""
    pages = root / "results" / plan.config.name / FOLDER
    found = [
        shown
        for view, (entry, file) in plan.views.items()
        if (shown := _of_view(pages, Path(plan.config.store), view, entry, file))
    ]
    found.append(_page(pages, PROVENANCE, PROVENANCE, "entries"))
    for task in plan.config.tasks:
        if check_file(plan, root, task).is_file():
            found.append(_page(pages, task, CHECK, "self-check"))
    return found


def check_file(plan: Plan, root: Path, task: str) -> Path:
    """Where `make check` leaves what it found of a task."""
    return root / "results" / plan.config.name / task / "check.json"


def _of_view(pages: Path, store: Path, view: str, entry: Entry, file: str) -> Shown | None:
    """None for what is no result to look at, or a form of one that the report leaves out."""
    kind, forms = KINDS.get(entry.stage, ("", {}))
    path = Path(file)
    if path.suffix[1:] not in forms:
        return None
    folders = Path(view).parts[2:-1]  # <task>/figures; without <task> of all
    task = folders[0] if len(folders) > (0 if kind == "explorer" else 1) else ALL
    shown = _page(pages, task, kind, path.stem)
    if path.suffix != ".md":  # which browsers do not show, so the report has a page of it
        shown = replace(shown, file=store / entry.rel / file)
    return replace(shown, form=forms[path.suffix[1:]], entry=entry)


def _page(pages: Path, category: str, kind: str, name: str) -> Shown:
    folder = pages / category.replace(" ", "-") / kind
    return Shown(folder / f"{name}.html", folder / f"{name}.rst", category, kind, name, "page")
