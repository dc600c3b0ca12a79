"""A table as files: csv, to read (md), to include (tex), and the metrics behind it (json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from moa.reporting.judged import views
from moa.reporting.tables.common import to_latex, to_markdown
from moa.runtime.files import write_json


def write_table(
    kind: str,
    metrics: Mapping[str, Any],
    paper: Mapping[str, Any],
    notes: Sequence[str],
    folder: Path,
    name: str,
) -> None:
    """Write <name>.csv (`by`: whose rewards a row is made of), .md, .tex and .json into a folder.

    kind: a file of moa/reporting/tables/. paper: its own numbers for the task. notes: what it ends with.
    """
    module, by = import_module(f"moa.reporting.tables.{kind}"), list(views(metrics))
    frames = [module.frame(view, paper).assign(by=view["by"]) for view in by]
    pd.concat(frames).to_csv(folder / f"{name}.csv", index=False)
    tables = [module.table(view, paper) for view in by]
    markdown = "\n".join(map(to_markdown, tables)) + "".join(f"\n{note}\n" for note in notes)
    latex = "\n".join(map(to_latex, tables)) + "".join(f"% {note}\n" for note in notes)
    (folder / f"{name}.md").write_text(markdown, encoding="utf-8")
    (folder / f"{name}.tex").write_text(latex, encoding="utf-8")
    write_json(folder / f"{name}.json", metrics)
