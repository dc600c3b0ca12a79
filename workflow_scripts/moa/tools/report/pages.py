"""What the report needs beside the store's own files: a caption per result, and pages of tables, checks and
provenance. Written anew each time, into results/<config>/report-pages/.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moa.runtime.publishing import is_published
from moa.tools.report import html
from moa.tools.report.captions import caption
from moa.tools.report.provenance import Made, provenance_page
from moa.workflow.jobs import is_void
from moa.workflow.plan import Plan
from moa.workflow.reported import CHECK, FOLDER, PROVENANCE, Shown, check_file, reported

VERDICTS = {"ok": "ok", "note": "note", "fails": "FAILS"}


def missing(plan: Plan) -> list[str]:
    """The folders of planned entries that the store does not have; without one, a report is not whole."""
    store = Path(plan.config.store)
    return [
        entry.rel
        for entry in plan.entries.values()
        if not is_published(store / entry.rel) or is_void(entry, store)
    ]


def write_pages(plan: Plan, made: Sequence[Made], config: Path, root: Path) -> None:
    """made: all entries. config: the file that was asked for. root: the checkout."""
    folder = root / "results" / plan.config.name / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    for shown in reported(plan, root):
        shown.caption.parent.mkdir(parents=True, exist_ok=True)
        shown.caption.write_text(caption(plan, shown), encoding="utf-8")
        if shown.file.is_relative_to(folder):
            shown.file.write_text(_page(plan, shown, made, config, root), encoding="utf-8")


def _page(plan: Plan, shown: Shown, made: Sequence[Made], config: Path, root: Path) -> str:
    if shown.kind == PROVENANCE:
        return provenance_page(plan.config.name, made, config)
    if shown.kind == CHECK:
        found = json.loads(check_file(plan, root, shown.category).read_text())
        return check_page(plan, shown.category, found)
    assert shown.entry is not None
    table = Path(plan.config.store) / shown.entry.rel / f"{shown.name}.md"
    return html.of_markdown(table.read_text(encoding="utf-8"))


def check_page(plan: Plan, task: str, found: dict[str, Any]) -> str:
    """found: what `make check` left of a task."""
    rows = [(c["what"], VERDICTS[c["verdict"]], c["found"], c["mend"]) for c in found["checks"]]
    of_today = found.get("entries") == plan.checked(task)
    return html.page(
        f"{plan.config.name} / {task}: self-check",
        [
            *(
                []
                if of_today
                else [html.paragraph("Of other entries than today's: run `make check` again.")]
            ),
            html.paragraph(
                "A prompt and its response, as the policy reads them; what is learned stands after the bar:"
            ),
            html.code(found["prompt"]),
            html.table(("What", "Verdict", "Found", "Mend"), rows, (0, 1, 2, 3)),
        ],
    )
