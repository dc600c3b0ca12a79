"""The form of the labels that a head is fitted on, and what several objectives need to make them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import NamedTuple

from moa.datasets.packages import ARCHIVE_VERSION, llamafactory_rows

N_ORDINARY = 400  # ordinary instructions from which pairs are constructed
FEW_WORDS = 4
CONSTRUCTED_WEIGHT = 0.3  # all kinds of constructed pairs together then weigh about as human labels


class Row(NamedTuple):
    """A rated response, or a pair of a response and a worse one.

    prompt: rows with one prompt are held out together; for labels without a prompt, whatever rows
    have in common (a topic, a source). worse: None for a rating. target: in [0, 1], 1 for a pair.
    kind: the line of the held-out report that the row counts for.
    """

    prompt: str
    response: str
    worse: str | None
    target: float
    weight: float
    kind: str


@dataclass(frozen=True)
class Labels:
    """All that one objective's head is fitted on.

    source: packages and versions. probes: name -> (prompt, response) pairs whose mean score the
    report gives; `real` is what the head should like. sees_prompt: False if it judges the
    response alone.
    """

    rows: list[Row]
    source: str
    probes: dict[str, list[tuple[str, str]]]
    sees_prompt: bool = True


def ordinary_answers(archive: str) -> list[tuple[str, str]]:
    """N_ORDINARY ordinary (instruction, answer) pairs out of LLaMA-Factory's distribution."""
    rows = llamafactory_rows(archive, "alpaca_en_demo.json")
    pairs = [
        (r["instruction"].strip(), r["output"].strip()) for r in rows if not r["input"].strip()
    ]
    return [pair for pair in pairs if all(pair)][:N_ORDINARY]


def few_words(text: str) -> str:
    """The first words of a text, or all of a short one."""
    words = text.split()
    return " ".join(words[:FEW_WORDS]) if len(words) > 2 * FEW_WORDS else text


def sources(packages: tuple[str, ...], archive: bool) -> str:
    """Packages with their versions, as the report names them."""
    named = [f"{name} {metadata.version(name)}" for name in packages]
    return "; ".join(named + [f"llamafactory {ARCHIVE_VERSION}"] * archive)
