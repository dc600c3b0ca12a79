"""The files as runs: what they are called, and their rows over the same prompts, vectors and seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from moa.datasets.faults import Faults
from moa.datasets.grid import placed
from moa.datasets.lines import ENDINGS, Lines, read_lines
from moa.runtime.errors import JobError

NAME = re.compile(r"[A-Za-z0-9_.+-]+")  # what a cell of every form of table can hold
DECIMALS = 6  # to which two w are the same


def named(files: Sequence[Path]) -> dict[str, Path]:
    """The files by the names of their runs: their own, without the ending."""
    names = [_stem(path) for path in files]
    check_names(names, "file")
    return dict(zip(names, files, strict=True))


def _stem(path: Path) -> str:
    return next((path.name.removesuffix(e) for e in ENDINGS if path.name.endswith(e)), path.name)


def check_names(names: Sequence[str], what: str) -> None:
    """Raises: JobError if one cannot stand in a table, or is there twice."""
    for name in names:
        if not NAME.fullmatch(name):
            raise JobError(f"the {what} {name!r}: rename it with letters, digits and _ . + - alone")
        if names.count(name) > 1:
            raise JobError(f"two {what}s are called {name}: rename one of them")
    if what == "objective" and len(names) < 2:
        raise JobError(f"{len(names)} objective: a trade-off is between two or more; name all")


def read(
    runs: Mapping[str, Path], objectives: Sequence[str]
) -> tuple[pd.DataFrame, list[list[float]]]:
    """All rows, by run, seed, vector and prompt; and the vectors (M, K). The first file has the measure.

    Raises: JobError with the rows that are at fault.
    """
    read = {name: read_lines(path, objectives, scores=True) for name, path in runs.items()}
    first, *others = read.values()
    prompts = {text: i for i, text in enumerate(dict.fromkeys(r["prompt"] for r in first.rows))}
    said = {tuple(round(r[f"w_{o}"], DECIMALS) for o in objectives) for r in first.rows}
    vectors = [list(w) for w in sorted(said)]
    if len(vectors) < 2:
        raise JobError(f"{first.path} has one w alone: a trade-off shows under two or more")
    if len(prompts) <= len(objectives):
        raise JobError(
            f"{first.path} has {len(prompts)} prompts: the CRD of {len(objectives)} objectives needs "
            f"{len(objectives) + 1} or more"
        )
    for lines in others:
        _check_seeds(lines, first)
    whose = ["the file", *[str(first.path)] * len(others)]
    frames = [
        placed(lines, objectives, prompts, vectors, of).assign(run=name)
        for (name, lines), of in zip(read.items(), whose, strict=True)
    ]
    return pd.concat(frames, ignore_index=True), vectors


def _check_seeds(lines: Lines, first: Lines) -> None:
    own, theirs = ({row["seed"] for row in side.rows} for side in (lines, first))
    faults = Faults(lines.path)
    for row in lines.rows:
        if row["seed"] not in theirs:
            faults.add(row["row"], f"seed {row['seed']} is none of {first.path}")
    faults.raise_any()
    if missing := sorted(theirs - own):
        raise JobError(
            f"{lines.path} has no row of seed {', '.join(map(str, missing))}, which {first.path} has: runs "
            "are compared seed by seed, so give all files the same ones"
        )
