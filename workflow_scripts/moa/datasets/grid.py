"""A user's responses on a grid of vectors and prompts: what is of no such, there twice, or missing."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from moa.datasets.distinct import normal
from moa.datasets.faults import NAMED, Faults, quoted, some, vector
from moa.datasets.lines import Lines
from moa.runtime.errors import JobError

SAME = 1e-6  # between two spellings of a weight, as of one that was float32


def placed(
    lines: Lines,
    objectives: Sequence[str],
    prompts: Mapping[str, int],
    vectors: Sequence[Sequence[float]],
    whose: str,
) -> pd.DataFrame:
    """The rows by seed, vector and prompt, with `vector` and `prompt_id`; w as `vectors` has it. What a
    file does not tell, `tokens` and `finished`, is missing.

    prompts: text -> id, in order. vectors: (M, K). whose: these are, as a message says it.
    Raises: JobError if a row is of another prompt or vector, or there twice, or if one is missing.
    """
    faults, rows = Faults(lines.path), pd.DataFrame(lines.rows)
    weights = [f"w_{name}" for name in objectives]
    asked = np.asarray(vectors, dtype=np.float64)
    far = np.abs(rows[weights].to_numpy()[:, None, :] - asked[None]).max(axis=2)  # (N, M)
    rows["vector"] = np.where(far.min(axis=1) <= SAME, far.argmin(axis=1), -1)
    rows["prompt_id"] = [prompts.get(prompt, -1) for prompt in rows["prompt"]]
    spelled = {normal(prompt): prompt for prompt in prompts}
    for row in lines.rows:
        if (prompt := row["prompt"]) not in prompts:
            near = spelled.get(normal(prompt))
            faults.add(
                row["row"], f"the prompt {quoted(prompt)} is none of {whose}{_hint(prompt, near)}"
            )
    listed = ", ".join(map(vector, asked[:NAMED])) + ", .." * (len(asked) > NAMED)
    for i in np.flatnonzero(rows["vector"] < 0):
        w = vector(rows[weights].to_numpy()[i])
        faults.add(int(rows["row"].iloc[i]), f"w is {w}, which is none of {whose}: {listed}")
    place = ["seed", "vector", "prompt_id"]
    first: dict[tuple[int, ...], int] = {}
    for number, *at in (
        rows.loc[(rows[place] >= 0).all(axis=1), ["row", *place]].to_numpy().tolist()
    ):
        if (before := first.setdefault(tuple(at), number)) != number:
            faults.add(
                number, f"the same prompt, w and seed as in row {before}: remove one of them"
            )
    faults.raise_any()
    _check_whole(lines, rows, prompts, asked, whose)
    rows[weights] = asked[rows["vector"]]
    rows["tokens"] = pd.array([pd.NA] * len(rows), dtype="Int64")
    rows["finished"] = pd.array([pd.NA] * len(rows), dtype="boolean")
    return rows.sort_values(place, kind="stable", ignore_index=True)


def _hint(prompt: str, near: str | None) -> str:
    """What a message says of a prompt that counts as the same."""
    if near is None:
        return ""
    for form in ("NFC", "NFD"):
        if unicodedata.normalize(form, prompt) == near:  # a screen shows both alike
            return (
                f"; {quoted(near)} is, which looks the same but is in Unicode's form {form}: write "
                f"unicodedata.normalize({form!r}, prompt)"
            )
    return f"; {quoted(near)} is: take its spelling"


def of_seed(lines: Lines, seed: int) -> Lines:
    """The rows of one seed. Raises: JobError if there are none."""
    rows = [row for row in lines.rows if row["seed"] == seed]
    if not rows:
        there = ", ".join(str(s) for s in sorted({row["seed"] for row in lines.rows}))
        raise JobError(
            f"{lines.path} has no row of seed {seed}, but of {there} (rows without `seed` count as 0): add "
            "them, or plan with seeds that the file has"
        )
    return replace(lines, rows=rows)


def _check_whole(
    lines: Lines, rows: pd.DataFrame, prompts: Mapping[str, int], vectors: np.ndarray, whose: str
) -> None:
    """Raises: JobError if a seed lacks some prompt under some vector."""
    for seed, own in rows.groupby("seed"):
        there = set(zip(own["vector"], own["prompt_id"], strict=True))
        missing = [
            f"the prompt {quoted(prompt)} under {vector(w)}"
            for prompt, number in prompts.items()
            for v, w in enumerate(vectors)
            if (v, number) not in there
        ]
        if missing:
            raise JobError(
                f"{lines.path}: {len(missing)} of {len(prompts) * len(vectors)} responses of seed {seed} "
                f"are missing, {some(missing)}; give one for each of the {len(prompts)} prompts and "
                f"{len(vectors)} w of {whose}"
            )
