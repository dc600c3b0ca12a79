"""Oracle kind `word_head`: linear heads on words, fitted on the labels of `embedding_head`.

Features of (prompt, response): which words and pairs of words the response has, hashed; how long it is;
and how many words it shares with the prompt, unless its labels have no prompt. No network and no
embedding, so what pleases a head on a sentence encoder for reasons of that encoder does not please this
one: a judge of the other. The labels are the same, and so are their own faults.
"""

from __future__ import annotations

import json
import re
import zlib
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from moa.datasets.packages import ARCHIVE
from moa.oracles.fitting.heads import Head, fit_head
from moa.oracles.fitting.objectives import labels_of

FITTED = True  # has a `fit`: the workflow makes an entry of it
REQUIRES = ("pyrit", "humor-mcp", "pyjokes", "numpy", "scipy")
L2_GRID = (3.0, 10.0, 30.0, 100.0)
BINS = 2048
SCALE = 8.0  # of the words' vector, so that one of 64 different words counts about 1
WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+|[^\w\s]")


def load(objective: str, params: dict[str, Any], entry: Path | None) -> Head:
    """The head in `entry`, the folder that `fit` wrote.

    Raises: ValueError if there is none, or it was fitted for another objective.
    """
    if entry is None:
        raise ValueError(f"the oracle word_head of {objective} has not been fitted: run `fit`")
    about = json.loads((entry / "head.json").read_text())
    if about["objective"] != objective:
        raise ValueError(
            f"{entry}: the head was fitted for {about['objective']}, not {objective}: refit"
        )
    weight = np.load(entry / "weight.npy")
    told = partial(features, sees_prompt=about["sees_prompt"])
    return Head(objective, told, weight, about["bias"])


def fit(objective: str, params: dict[str, Any], out: Path) -> dict[str, Any]:
    """Fit the head of one objective, write weight.npy and head.json to `out`, and return its report.

    params (optional): `archive` (LLaMA-Factory's distribution).
    Raises: ValueError if there are no labels of the objective.
    """
    labels = labels_of(objective, params.get("archive", ARCHIVE))
    told = partial(features, sees_prompt=labels.sees_prompt)
    head, report = fit_head(objective, labels, told, L2_GRID)
    about = {"objective": objective, "sees_prompt": labels.sees_prompt, "bias": head.bias}
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "weight.npy", head.weight)
    (out / "head.json").write_text(json.dumps(about, indent=2) + "\n")
    return about | report


def features(prompts: list[str], responses: list[str], sees_prompt: bool = True) -> np.ndarray:
    """(N, BINS + 2), or (N, BINS + 4) with the prompt: hashed words and pairs of them as a vector of
    length SCALE, log(1 + words), the share of words that differ; of the response's different words the
    share that is in the prompt, and of the prompt's that in the response.
    """
    x = np.zeros((len(responses), BINS + (4 if sees_prompt else 2)))
    for row, prompt, response in zip(x, prompts, responses, strict=True):
        words = WORD.findall(response.lower())
        for term in (*words, *map(" ".join, pairwise(words))):
            row[zlib.crc32(term.encode()) % BINS] += 1.0
        row[:BINS] = np.sqrt(row[:BINS])
        row[:BINS] *= SCALE / max(1.0, float(np.linalg.norm(row[:BINS])))
        own = set(words)
        row[BINS : BINS + 2] = np.log1p(len(words)), len(own) / max(1, len(words))
        if sees_prompt:
            asked = set(WORD.findall(prompt.lower()))
            both = len(own & asked)
            row[BINS + 2 :] = both / max(1, len(own)), both / max(1, len(asked))
    return x
