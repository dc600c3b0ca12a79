"""The one interface of all reward oracles, and the checks on what they return."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from numbers import Real
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from moa.datasets.shards import in_shards
from moa.oracles import module_name
from moa.runtime.errors import JobError
from moa.runtime.progress import Progress

SHARD = 512  # responses scored between two updates of the bar, and at most lost by a kill


class Oracle(Protocol):
    """Scores responses for one objective; higher is always better.

    It sees the raw prompt x and the cleaned response, never the weights.
    """

    objective: str

    def score(self, prompts: list[str], responses: list[str]) -> np.ndarray:
        """One finite float per (prompt, response): (N,)."""
        ...


class OracleError(JobError):
    """An oracle returned something that is not a reward."""


def load_oracles(
    objectives: Sequence[str],
    specs: dict[str, dict[str, Any]],
    inputs: dict[str, Path],
    placement: str = "same_gpu",
) -> list[Oracle]:
    """The task's oracles in the order of its objectives.

    specs: objective -> its config entry (`kind` and parameters). inputs: the job's upstream
    folders; a fitted oracle's is `oracle/<objective>`. placement: for the kinds that have a choice
    (`PLACED`), one of `moa.oracles.placement.PLACEMENTS`.
    """
    oracles = []
    for name in objectives:
        kind = import_module(module_name(specs[name]["kind"]))
        placed = {"placement": placement} if getattr(kind, "PLACED", False) else {}
        oracles.append(kind.load(name, specs[name], inputs.get(f"oracle/{name}"), **placed))
    return oracles


def score_all(oracles: Sequence[Oracle], prompts: list[str], responses: list[str]) -> np.ndarray:
    """Rewards of every oracle: (N, K) float64. It is asked once for every distinct prompt and response,
    so that equal ones have equal rewards, whatever a network's batches make of the last bits.

    Raises: OracleError with the oracle's objective and what is expected if one returns no numbers, the
    wrong number of them, or a value that is not finite (the first such prompt is named).
    """
    place = {pair: i for i, pair in enumerate(dict.fromkeys(zip(prompts, responses, strict=True)))}
    back = [place[pair] for pair in zip(prompts, responses, strict=True)]
    prompts, responses = [x for x, _ in place], [y for _, y in place]
    columns = []
    for oracle in oracles:
        # Copies, as an oracle may change its lists, and the next one is to see the same texts.
        column = _numbers(oracle.objective, oracle.score(list(prompts), list(responses)))
        if column.shape != (len(prompts),):
            raise OracleError(
                f"oracle {oracle.objective} returned shape {column.shape} for {len(prompts)} "
                f"responses, not ({len(prompts)},), one number for each; the first prompt was "
                f"{_first(prompts)}"
            )
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise OracleError(
                f"oracle {oracle.objective} returned {column[bad[0]]} for the prompt "
                f"{_shown(prompts[bad[0]])} and the response {_shown(responses[bad[0]])} "
                f"({len(bad)} of {len(column)} scores are not finite)"
            )
        columns.append(column)
    return np.stack(columns, axis=1)[back]


def _numbers(objective: str, scores: Any) -> np.ndarray:
    """What an oracle returned as float64: of numbers in a list, an array, or tensors of any device."""
    if isinstance(scores, pd.Series):
        order = scores.index.tolist()
        if order != list(range(len(order))) and set(order) == set(range(len(order))):
            raise OracleError(
                f"oracle {objective} returned a Series in another order than the responses, by its index "
                f"({order[:5]}..): sort it with sort_index() before it is returned"
            )
    if isinstance(scores, np.ma.MaskedArray):  # or the values under the mask would count
        scores = np.ma.filled(scores.astype(np.float64), np.nan)
    found: Any = None
    try:
        if isinstance(scores, (list, tuple)):
            found = np.asarray([_number(score) for score in scores])
        elif hasattr(scores, "__array__"):
            found = np.asarray(_from_tensor(scores))
            if found.dtype == object and found.ndim == 1:
                found = np.asarray([_number(score) for score in found])
    except (ValueError, OverflowError):  # lists of different lengths, whole numbers past all floats
        found = None
    # Text that looks like numbers is none: what made it text is not known here.
    if found is None or (found.dtype.kind not in "biuf" and found.size):
        raise OracleError(
            f"oracle {objective} returned {_described(scores)}: it must return a list, an array or a "
            "tensor with one number for each response"
        )
    return found.astype(np.float64)


def _number(value: Any) -> Any:
    """One of a list's values: a number as a float, whatever its type (a whole one may be past 64 bits)."""
    return float(value) if isinstance(value, Real) else _from_tensor(value)


def _from_tensor(value: Any) -> Any:
    """A tensor's values, which numpy cannot read where they have gradients or are bfloat16."""
    return value.detach().cpu().double().numpy() if hasattr(value, "detach") else value


def _described(scores: Any) -> str:
    kind = f"a {type(scores).__name__}"
    listed = isinstance(scores, (list, tuple))
    if listed or str(getattr(scores, "dtype", "")) == "object":
        for score in scores if listed else np.ravel(scores):
            if isinstance(score, int) and _is_past_floats(score):
                return f"{kind} that holds a whole number of {score.bit_length()} bits, past all floats"
            if not isinstance(score, Real):
                return f"{kind} that holds {_shown(score, 60)}, a {type(score).__name__}"
    return f"{kind} of {scores.dtype}" if hasattr(scores, "dtype") else kind


def score_in_shards(
    oracles: Sequence[Oracle], prompts: list[str], responses: list[str], folder: Path, title: str
) -> np.ndarray:
    """`score_all` over many responses, with a progress bar, resumed by shard: (N, K) float64.

    folder: where the shards are kept until the job has published.
    """
    bar = Progress(len(prompts), title, "responses")

    def score(rows: slice) -> pd.DataFrame:
        raw = score_all(oracles, prompts[rows], responses[rows])
        bar.update(len(raw))
        return pd.DataFrame(raw, columns=[oracle.objective for oracle in oracles])

    scores = in_shards(folder, "scores", len(prompts), SHARD, score)
    bar.close()
    return scores.to_numpy()


def _is_past_floats(number: int) -> bool:
    return number.bit_length() > np.finfo(np.float64).maxexp


def _first(prompts: list[str]) -> str:
    return _shown(prompts[0]) if prompts else "none"


def _shown(value: Any, most: int = 200) -> str:
    """A value for a message, in which a text of a million characters would hide all else."""
    whole = repr(value)
    return whole if len(whole) <= most else f"{whole[:most]}.. ({len(whole)} characters)"
