"""What the report says of each result: what it shows and how it is read, in reStructuredText.

A figure's or table's own module says it, in its docstring, so it is said in one place.
"""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

from moa.reporting import betas
from moa.tools.report.provenance import Made, facts
from moa.workflow.entries import Entry
from moa.workflow.keys import PACKAGE_ROOT
from moa.workflow.plan import Plan
from moa.workflow.reported import CHECK, PROVENANCE, Shown

MODULES = {"figure": "figures", "table": "tables"}  # stage -> folder of moa/reporting/
EXPLORER = """All responses of a task, side by side and along w.

Move w by the slider or the triangle: points, responses and distributions follow. Search the prompts, or
order them by where methods disagree most, or where w changes nothing. Opened by itself, from the zip or as
results/<config>/<task>/explorer.html, its address holds the view and can be sent.
"""
PAGES = {
    PROVENANCE: """Every entry behind these results, from its own manifest.

When it was made, how long that took, with which code, on which machine and with which libraries; time by
stage and in all; and the config. What a reader should know first, such as code that is in no commit, stands
on top.
""",
    CHECK: """Whether base, tokenizer, oracles and data of the task work together.

What `make check` found: a prompt and its response as the policy reads them, and a row per check.
""",
}


def caption(plan: Plan, shown: Shown) -> str:
    """The text of a result's caption."""
    if shown.entry is None:
        return _rst(PAGES[shown.kind])
    parts = [_about(shown.entry)]
    if task := plan.config.tasks.get(shown.category):
        parts.append(
            f"Task {task.name}, objectives {', '.join(task.objectives)}. {_betas(plan, shown.entry)}"
        )
    parts.append(facts(Made.of(shown.entry, Path(plan.config.store))))
    return _rst("\n\n".join(part.strip() for part in parts))


def _about(entry: Entry) -> str:
    """What an entry shows; its first line stands by itself."""
    if entry.stage == "explorer":
        return EXPLORER
    name = entry.spec["params"][entry.stage]  # the module of a figure, or of a table
    return docstring(PACKAGE_ROOT / "moa" / "reporting" / MODULES[entry.stage] / f"{name}.py")


@cache
def docstring(module: Path) -> str:
    """Of a source file, without running it."""
    return ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""


def _betas(plan: Plan, entry: Entry) -> str:
    """What the betas of the shown runs come to: the similarity of scales."""
    metrics = entry.inputs.get("metrics")
    return _sentence(Path(plan.config.store) / metrics.rel) if metrics else ""


@cache
def _sentence(folder: Path) -> str:
    return betas.sentence(json.loads((folder / "metrics.json").read_text()))


def _rst(text: str) -> str:
    """Paragraphs of plain text, none of whose characters mean anything."""
    return re.sub(r"([^\w\s]|_)", r"\\\1", text.strip()) + "\n"
