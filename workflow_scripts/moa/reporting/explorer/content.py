"""What the explorer shows of a task: checked against its metrics, and put into arrays.

Of more than PROMPTS test prompts, so many are shown, spread evenly; points and intervals are those of the
metrics, of all prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moa.oracles.scale import RewardScale
from moa.reporting.figures import style
from moa.reporting.figures.shown import has_front
from moa.reporting.judged import views
from moa.runtime.errors import JobError

PROMPTS = 200  # with their responses: what keeps a page small enough to be sent
UNKNOWN = -1  # of tokens and finished, where responses come without them
ROUNDING = 1e-6  # by which means may differ that were taken in another order
PLACE = ["seed", "vector", "prompt_id"]


@dataclass(frozen=True)
class Content:
    """about: what the page says of the task, its prompts and runs. texts: the distinct responses to each
    prompt, sorted.

    The arrays have a row per response (R), by run, seed, vector and prompt, in this order. text: (R,),
    which of its prompt's texts it is. tokens: (R,). finished: (R,), 1, 0 or UNKNOWN. rewards: one (R, K),
    normalised, of the oracles, and one of the judges if there are any.
    """

    about: dict[str, Any]
    texts: list[list[str]]
    text: np.ndarray
    tokens: np.ndarray
    finished: np.ndarray
    rewards: list[np.ndarray]


def content(
    metrics: Mapping[str, Any],
    responses: pd.DataFrame,
    judged: pd.DataFrame | None = None,
    notes: Sequence[str] = (),
) -> Content:
    """The page's content.

    metrics: a task's metrics.json. responses: a row per run, seed, vector and prompt, with the texts and
    `raw_<objective>`, `norm_<objective>` and `w_<objective>`; `tokens` and `finished` may be missing.
    judged: the same with the judges' rewards. notes: sentences that the page ends with.
    Raises: JobError if the responses are not those that the metrics are of.
    """
    looks = style.looks(metrics["runs"])
    by = list(views(metrics))
    tables = [responses] if judged is None else [responses, judged]
    checked = [_checked(view, table) for view, table in zip(by, tables, strict=True)]
    ids = np.sort(responses["prompt_id"].unique())
    shown = ids[np.linspace(0, len(ids) - 1, min(PROMPTS, len(ids))).round().astype(int)]
    cells = [pd.concat([runs[name] for name in looks]) for runs in checked]
    cells = [frame[frame["prompt_id"].isin(shown)] for frame in cells]
    first, *others = cells
    for other in others:
        if (other["response"].to_numpy() != first["response"].to_numpy()).any():
            raise JobError("judges scored other responses than oracles: score both anew")
    texts, text = _distinct(first, shown)
    prompts = first.drop_duplicates("prompt_id").set_index("prompt_id")["prompt"]
    return Content(
        {
            **{key: metrics[key] for key in ("config", "task", "objectives", "vectors")},
            "seeds": sorted(int(seed) for seed in responses["seed"].unique()),
            "prompts": [{"id": int(i), "text": prompts[i]} for i in shown],
            "of": len(ids),
            "runs": [_run(name, look, metrics) for name, look in looks.items()],
            "by": [_rewards(view, list(looks)) for view in by],
            "notes": list(notes),
        },
        texts,
        text,
        _known(first, "tokens"),
        _known(first, "finished"),
        [frame[_scale(metrics).norm_columns].to_numpy(dtype=np.float64) for frame in cells],
    )


def _checked(view: Mapping[str, Any], table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each run, in the order of cells, if they are those that the metrics are of."""
    scale, found = _scale(view), {}
    seeds, prompts = table["seed"].nunique(), table["prompt_id"].nunique()
    for name, run in view["runs"].items():
        rows = table[table["run"] == name].sort_values(PLACE, kind="stable")
        vectors = np.array(run["vectors"], dtype=np.float64)
        expected = seeds * len(vectors) * prompts
        if len(rows) != expected or rows.duplicated(PLACE).any():
            raise JobError(
                f"{name}: {len(rows)} responses for {seeds} seeds, {len(vectors)} vectors and {prompts} "
                "prompts: some are missing, or there twice"
            )
        asked = rows[[f"w_{objective}" for objective in scale.objectives]].to_numpy()
        if not np.allclose(asked, vectors[rows["vector"]], atol=ROUNDING):
            raise JobError(f"{name}: its responses are of other vectors than its metrics")
        norm = rows[scale.norm_columns].to_numpy(dtype=np.float64)
        if not np.allclose(norm, scale.normalise(rows[scale.raw_columns].to_numpy())):
            raise JobError(f"{name}: its rewards are normalised by other numbers than its metrics")
        points = norm.reshape(seeds, len(vectors), prompts, -1).mean(axis=(0, 2))
        if not np.allclose(points, run["points"], atol=ROUNDING):
            raise JobError(f"{name}: its responses have other mean rewards than its metrics say")
        found[name] = rows
    return found


def _scale(view: Mapping[str, Any]) -> RewardScale:
    numbers = view["normalisation"]
    return RewardScale(
        tuple(view["objectives"]), np.array(numbers["mean"]), np.array(numbers["std"])
    )


def _distinct(cells: pd.DataFrame, prompts: np.ndarray) -> tuple[list[list[str]], np.ndarray]:
    """The distinct responses to each prompt, sorted, and (R,) which of them each response is."""
    place = np.zeros(len(cells), dtype=np.int64)
    texts = []
    ids, responses = cells["prompt_id"].to_numpy(), cells["response"].to_numpy(dtype=object)
    for prompt in prompts:
        own = ids == prompt
        distinct, place[own] = np.unique(responses[own], return_inverse=True)
        texts.append(distinct.tolist())
    return texts, place


def _known(cells: pd.DataFrame, column: str) -> np.ndarray:
    """A column of whole numbers, UNKNOWN where there is none."""
    if column not in cells:
        return np.full(len(cells), UNKNOWN)
    return cells[column].astype("Float64").fillna(UNKNOWN).to_numpy(dtype=np.int64)


def _run(name: str, look: style.Look, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of a run, whoever rewards it."""
    return {
        "name": name,
        "label": look.label,
        "colour": look.colour,
        "marker": look.marker,
        "hollow": bool(look.face),
        "one_policy": has_front(metrics["runs"][name]),
        "vectors": metrics["runs"][name]["vectors"],
    }


def _rewards(view: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """What the page says of one set of rewards; `runs` in the order of `names`."""
    runs = [view["runs"][name] for name in names]
    optimum = view["optimum"]
    return {
        "name": view["by"],
        "mean": view["normalisation"]["mean"],
        "std": view["normalisation"]["std"],
        "optimum": optimum and {key: optimum[key] for key in ("points", "front")},
        "runs": [
            {
                **{key: run[key] for key in ("points", "points_low", "points_high", "warnings")},
                "seeds": [run["seeds"][s]["points"] for s in sorted(run["seeds"], key=int)],
            }
            for run in runs
        ],
    }
