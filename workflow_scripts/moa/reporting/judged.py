"""By whose rewards a task's numbers are shown: the oracles', which trained, or the judges'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def views(metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A task's metrics as a table reads them, with `by`: of the oracles, then of the judges if there are
    any.

    The judges' have `gaps` too: by run and metric, what was gained by the oracles minus by the judges.
    """
    yield {**metrics, "by": "oracles"}
    if metrics["judged"]:
        yield {**metrics, **metrics["judged"], "by": "judges"}
