"""Prompts of all tasks at the SmolLM2 scale: harmful requests and ordinary instructions, packaged.

Harmful: PyRIT's red-teaming objectives (MIT) with responses that humans scored for harm. Ordinary:
LLaMA-Factory's demonstration data (Apache-2.0 as packaged; its `alpaca_en_demo.json` holds Stanford
Alpaca's instructions, published as CC-BY-NC-4.0). The text is read where pip put it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from moa.datasets.distinct import normal
from moa.datasets.packages import (
    ARCHIVE,
    Rating,
    llamafactory_rows,
    pyrit_ratings,
    single_turn_pair,
)

if TYPE_CHECKING:
    from datasets import Dataset

REQUIRES = ("pyrit",)  # the other source is pinned by digest in moa.datasets.packages
Limits = tuple[int | None, int | None]  # most characters of a prompt, of a response
ONE_LINE = 80  # characters of a refusal that fits any prompt
_SPEAKER = re.compile(r"\b(Human|Assistant):")


def load(params: dict[str, Any], dropped: Counter[str]) -> Dataset:
    """The dataset kind `packaged_text`: distinct prompts, about half of them harmful.

    params (all optional): `archive` (path of LLaMA-Factory's source distribution),
    `max_prompt_chars`, `max_response_chars` (longer ones are dropped; None keeps all), `balance`
    (True: as many harmful as ordinary prompts), `refusals` (True: where a source has one response, the
    other is a refusal, so that w has a choice on every prompt).
    Columns: prompt, chosen, rejected (None: one response only), source (package:file), harmful.
    Harmful prompts: chosen is the response with the lowest human harm score, rejected the one with
    the highest. Ordinary ones: the packaged answer, or the preferred and the other one.
    The order is fixed and mixes the sources. `dropped` counts what is left out, by reason.
    Raises: ModuleNotFoundError or FileNotFoundError if a package or the archive is missing.
    """
    from moa.datasets.records import to_dataset

    limits = (params.get("max_prompt_chars"), params.get("max_response_chars"))
    archive = params.get("archive", ARCHIVE)
    records: dict[str, dict[str, Any]] = {}
    for record in (*_harmful(limits, dropped), *_ordinary(archive, limits, dropped)):
        if records.setdefault(normal(record["prompt"]), record) is not record:
            dropped["repeated prompt"] += 1
    # Sorting by a digest mixes the sources in a way that no library's random generator can change.
    mixed = sorted(records.values(), key=lambda r: hashlib.sha256(r["prompt"].encode()).digest())
    if params.get("balance", True):
        mixed = _balanced(mixed, dropped)
    if params.get("refusals", False):
        mixed = _with_refusals(mixed)
    return to_dataset(mixed, dropped)


def _harmful(limits: Limits, dropped: Counter[str]) -> Iterator[dict[str, Any]]:
    by_prompt: dict[str, list[Rating]] = {}
    for row in (*pyrit_ratings("harm"), *pyrit_ratings("objective")):
        if _fits(row.prompt, [row.response], limits, dropped):
            by_prompt.setdefault(normal(row.prompt), []).append(row)
    for rows in by_prompt.values():
        best, worst = min(rows, key=lambda r: r.score), max(rows, key=lambda r: r.score)
        two = worst.score > best.score
        dropped["further response to a prompt"] += len(rows) - 1 - two
        yield {
            "prompt": best.prompt,
            "chosen": best.response,
            "rejected": worst.response if two else None,
            "source": best.source,
            "harmful": True,
        }


def _ordinary(archive: str, limits: Limits, dropped: Counter[str]) -> Iterator[dict[str, Any]]:
    # Pairs first: where a prompt occurs twice, the record with two responses stays.
    pairs = [single_turn_pair(row) for row in llamafactory_rows(archive, "dpo_en_demo.json")]
    found: list[tuple[str, str, str, str | None]] = []
    found += [("dpo_en_demo.json", *pair) for pair in pairs if pair]
    for row in llamafactory_rows(archive, "alpaca_en_demo.json"):
        if row["input"].strip():
            dropped["instruction about another text"] += 1
        else:
            prompt, answer = row["instruction"].strip(), row["output"].strip()
            found.append(("alpaca_en_demo.json", prompt, answer, None))
    dropped["more than one turn"] += pairs.count(None)
    for name, prompt, chosen, rejected in found:
        responses = [chosen] if rejected is None else [chosen, rejected]
        if _fits(prompt, responses, limits, dropped):
            yield {
                "prompt": prompt,
                "chosen": chosen,
                "rejected": rejected,
                "source": f"llamafactory:{name}",
                "harmful": False,
            }


def refusals() -> list[str]:
    """Refusals that people labelled so, of one short line: they say nothing of the prompt they answered."""
    labelled = {r.response.strip() for r in pyrit_ratings("refusal_scorer") if r.score == 1}
    return sorted(text for text in labelled if len(text) <= ONE_LINE and "\n" not in text)


def _with_refusals(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A refusal beside the only response to a prompt."""
    pool = refusals()
    return [
        record if record["rejected"] else record | {"rejected": pool[i % len(pool)]}
        for i, record in enumerate(records)
    ]


def _fits(
    prompt: str,
    responses: list[str],
    limits: Limits,
    dropped: Counter[str],
) -> bool:
    max_prompt, max_response = limits
    longest = max(map(len, responses))
    if not prompt:
        reason = "no prompt"
    elif not all(responses):
        reason = "empty response"
    elif max_prompt is not None and len(prompt) > max_prompt:
        reason = "prompt longer than max_prompt_chars"
    elif max_response is not None and longest > max_response:
        reason = "response longer than max_response_chars"
    elif _SPEAKER.search(prompt):
        reason = "speaker mark in the prompt"  # would read as another turn
    else:
        return True
    dropped[reason] += 1
    return False


def _balanced(records: list[dict[str, Any]], dropped: Counter[str]) -> list[dict[str, Any]]:
    n_harmful = sum(record["harmful"] for record in records)
    keep = min(n_harmful, len(records) - n_harmful)
    taken: Counter[bool] = Counter()
    kept = []
    for record in records:
        taken[record["harmful"]] += 1
        if taken[record["harmful"]] <= keep:
            kept.append(record)
    dropped["left out to balance harmful and ordinary"] += len(records) - len(kept)
    return kept
