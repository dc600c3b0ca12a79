"""Responses on the grid of a task's prompts and vectors: what is of no such, there twice, or missing."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from moa.datasets.grid import of_seed, placed
from moa.datasets.lines import Lines
from moa.runtime.errors import JobError

OBJECTIVES = ["helpfulness", "harmlessness"]
PROMPTS = {"Why?": 7, "How?": 3}
VECTORS = [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]


def lines(*left_out: int, seeds: tuple[int, ...] = (0,), **changes: dict[str, Any]) -> Lines:
    """A whole grid, in an order of its own. changes: of row<number>."""
    cells = [(s, p, w) for s in seeds for w in reversed(VECTORS) for p in PROMPTS]
    rows = [
        {"row": i, "seed": s, "prompt": p, "response": f"{p} {w}", "w_helpfulness": w[0]}
        | {"w_harmlessness": w[1]}
        | changes.get(f"row{i}", {})
        for i, (s, p, w) in enumerate(cells, start=1)
    ]
    return Lines(Path("mine.jsonl"), [row for row in rows if row["row"] not in left_out], False)


def refused(given: Lines) -> str:
    with pytest.raises(JobError) as caught:
        placed(given, OBJECTIVES, PROMPTS, VECTORS, "the task")
    return str(caught.value)


def test_a_whole_grid_is_put_in_order() -> None:
    found = placed(lines(seeds=(1, 0)), OBJECTIVES, PROMPTS, VECTORS, "the task")
    assert found[["seed", "vector", "prompt_id"]].to_numpy().tolist() == [
        [s, v, p] for s in (0, 1) for v in range(3) for p in (3, 7)
    ]
    assert found["response"].iloc[1] == "Why? [0.0, 1.0]"
    assert found["tokens"].isna().all() and found["finished"].isna().all()


def test_a_weight_is_the_same_in_single_precision_and_comes_out_as_the_task_has_it() -> None:
    near = {"w_helpfulness": 0.49999997, "w_harmlessness": 0.50000003}
    found = placed(lines(row3=near), OBJECTIVES, PROMPTS, VECTORS, "the task")
    assert found["w_helpfulness"].unique().tolist() == [0.0, 0.5, 1.0]


def test_what_is_of_no_prompt_or_vector_is_told_with_its_row() -> None:
    told = refused(
        lines(row2={"prompt": "Who?"}, row3={"w_helpfulness": 0.4, "w_harmlessness": 0.6})
    )
    assert told.splitlines() == [
        "mine.jsonl, row 2: the prompt 'Who?' is none of the task",
        "mine.jsonl, row 3: w is [0.4, 0.6], which is none of the task: [0, 1], [0.5, 0.5], [1, 0]",
    ]


def test_another_spelling_of_a_prompt_is_told() -> None:
    told = refused(lines(row2={"prompt": "how "}))
    assert (
        told
        == "mine.jsonl, row 2: the prompt 'how ' is none of the task; 'How?' is: take its spelling"
    )


@pytest.mark.parametrize(("form", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_prompt_in_another_unicode_form_is_told_as_such(form: Any, other: Any) -> None:
    ours, theirs = (unicodedata.normalize(f, "qu\u00e9") for f in (form, other))
    with pytest.raises(JobError, match=f"'{ours}' is, which looks the same .* form {form}: write"):
        placed(
            lines(row2={"prompt": theirs}), OBJECTIVES, {**PROMPTS, ours: 1}, VECTORS, "the task"
        )


def test_what_is_there_twice_is_told_with_both_rows() -> None:
    told = refused(lines(row5={"prompt": "How?"}))
    assert told == "mine.jsonl, row 6: the same prompt, w and seed as in row 5: remove one of them"


def test_what_is_missing_is_counted_and_the_first_are_named() -> None:
    told = refused(lines(1, 4))
    assert told.startswith("mine.jsonl: 2 of 6 responses of seed 0 are missing, ")
    assert (
        "the prompt 'Why?' under [1, 0]; the prompt 'How?' under [0.5, 0.5]; give one for each"
        in told
    )
    assert "and 1 more" in refused(lines(1, 2, 3, 4, 5))
    assert "of seed 1 are missing" in refused(lines(8, seeds=(0, 1)))


def test_the_rows_of_one_seed() -> None:
    assert len(of_seed(lines(seeds=(0, 2)), 2).rows) == 6
    with pytest.raises(
        JobError, match=r"no row of seed 1, but of 0, 2 \(rows without `seed` count as 0\)"
    ):
        of_seed(lines(seeds=(2, 0)), 1)
