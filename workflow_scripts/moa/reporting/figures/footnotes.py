"""The small print below a figure: what it is made of, and the warnings of the runs it shows."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from matplotlib.figure import Figure

from moa.reporting import betas
from moa.reporting.figures.style import NOTE_SIZE, Look

_LAST: ContextVar[Sequence[str]] = ContextVar("_LAST", default=())


def sample_size(metrics: Mapping[str, Any], names: Sequence[str]) -> str:
    """`n = 200 prompts, 3 seeds per run.`, and the betas, for the footnote."""
    shown = {**metrics, "runs": {name: metrics["runs"][name] for name in names}}
    return f"n = {metrics['prompts']} prompts, {seeds(metrics, names)}. {betas.sentence(shown)}".strip()


def seeds(metrics: Mapping[str, Any], names: Sequence[str]) -> str:
    """`3 seeds per run`."""
    counts = sorted({len(metrics["runs"][name].get("seeds") or {}) for name in names})
    text = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{text} seed{'' if counts == [1] else 's'} per run"


def warnings(metrics: Mapping[str, Any], looks: Mapping[str, Look]) -> list[str]:
    """A paragraph of the footnote for each warning of the runs shown."""
    return [
        f"Warning, {look.label}: {warning}"
        for name, look in looks.items()
        for warning in metrics["runs"][name].get("warnings") or []
    ]


@contextmanager
def ending_with(paragraphs: Sequence[str]) -> Iterator[None]:
    """Within, every footnote ends with these paragraphs, whatever the figure.

    A figure may lay itself out for good as it is drawn, so nothing can be added to it afterwards.
    """
    token = _LAST.set(paragraphs)
    try:
        yield
    finally:
        _LAST.reset(token)


def add(figure: Figure, paragraphs: Sequence[str]) -> None:
    """Add a strip for small print below the figure, which grows by it: the axes keep their size."""
    width, height = figure.get_size_inches()
    characters = int(width * 72 / (NOTE_SIZE * 0.55))
    lines = [
        line
        for text in (*paragraphs, *_LAST.get())
        for line in textwrap.wrap(text, characters, break_on_hyphens=False)
    ]
    strip = (len(lines) * NOTE_SIZE * 1.25 + 5) / 72
    figure.set_size_inches(width, height + strip)
    share = strip / (height + strip)
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, share, 1, 1 - share))  # type: ignore[call-arg]
    figure.text(
        0.04 / width,
        share - 2 / 72 / (height + strip),
        "\n".join(lines),
        fontsize=NOTE_SIZE,
        color="#555555",
        linespacing=1.15,
        va="top",
    )
