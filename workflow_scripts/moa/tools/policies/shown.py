"""Answers on a terminal: side by side where there is room. Model text is data, whatever it holds."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from moa.tools.policies.asking import Answer
from moa.tools.policies.described import Policy

NARROWEST = 26  # columns; below that, one answer stands under the other
GAP = "  "


def heading(policy: Policy, w: Sequence[float]) -> str:
    """What stands over an answer: w, or whose expert it is."""
    if policy.told["conditioned"]:
        return f"w {' '.join(f'{value:.4g}' for value in w)}"
    return f"the expert of {policy.objectives[list(w).index(max(w))]}"


def shown(
    heads: Sequence[str],
    answers: Sequence[Answer],
    objectives: Sequence[str],
    width: int,
    rewards: tuple[np.ndarray, np.ndarray] | None = None,
) -> str:
    """Answers to one prompt, in at most so many columns. rewards: raw and normalised, (N, K) each."""
    each = (width - len(GAP) * (len(answers) - 1)) // len(answers)
    beside = len(answers) > 1 and each >= NARROWEST
    cells = [
        [head, *_cell(answer, objectives, each if beside else width, _row(rewards, i))]
        for i, (head, answer) in enumerate(zip(heads, answers, strict=True))
    ]
    if not beside:
        return "\n\n".join("\n".join(cell) for cell in cells)
    rows = zip_longest(*cells, fillvalue="")
    return "\n".join(GAP.join(line.ljust(each) for line in row).rstrip() for row in rows)


def _row(rewards: tuple[np.ndarray, np.ndarray] | None, i: int) -> list[tuple[float, float]] | None:
    if rewards is None:
        return None
    raw, norm = rewards
    return list(zip(raw[i].tolist(), norm[i].tolist(), strict=True))


def _cell(
    answer: Answer,
    objectives: Sequence[str],
    width: int,
    rewards: list[tuple[float, float]] | None,
) -> list[str]:
    """The lines of one answer: what the prompt says of w, the response, its rewards."""
    lines = [*_wrapped(f"prompt: {answer.reads}", width), ""]
    text = plain(answer.response.text) or "(empty)"
    lines += [line for part in text.split("\n") for line in _wrapped(part, width)]
    lines += [] if answer.response.finished else _wrapped("(cut: it was not finished)", width)
    if rewards is not None:
        lines.append("")
        for name, (raw, norm) in zip(objectives, rewards, strict=True):
            lines += _wrapped(f"{name} {norm:+.2f} (raw {raw:.4g})", width)
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width) or [""]


def plain(text: str) -> str:
    """What a terminal shows and does not obey: a control character is written out."""
    return "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)
