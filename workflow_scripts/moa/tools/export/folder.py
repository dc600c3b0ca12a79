"""An exported folder appears whole, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from moa.runtime.errors import JobError
from moa.tools.export.card import card
from moa.tools.export.exported import Exported
from moa.tools.export.usage import usage
from moa.tools.export.weights import write_weights


def check_target(out: Path) -> None:
    """Raises: JobError if something is there already."""
    if out.exists() or out.is_symlink():
        raise JobError(f"{out} is there already: name another folder, or remove it")


def export(plan: Exported, out: Path) -> None:
    """Write weights, tokenizer, usage.py and README.md (the card, which prints usage.py).

    Raises: JobError as `check_target`, or if no folder can be made there, or if the policy cannot be loaded
    whole.
    """
    staging = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        check_target(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
    except OSError as error:
        raise JobError(f"{out}: no folder can be made there ({error}): name another") from error
    try:
        program = usage(plan)
        (staging / "usage.py").write_text(program, encoding="utf-8")
        (staging / "README.md").write_text(card(plan, program), encoding="utf-8")
        write_weights(plan, staging)
        check_target(out)  # a rename would take an empty folder's place
        os.rename(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
