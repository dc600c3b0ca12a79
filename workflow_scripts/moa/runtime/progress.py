"""A progress bar on a terminal, and a line every few seconds in a log file."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

log = logging.getLogger("moa.runtime.progress")
LOG_SECONDS = 15.0


class Progress:
    """Counts `total` units of work under a title; `update` may show the latest figures.

    On a terminal it is a tqdm bar. Elsewhere (Snakemake's logs, Slurm's output files) a bar would
    be thousands of carriage returns, so it is one log line at most every LOG_SECONDS and one at
    the end.
    """

    def __init__(self, total: int, title: str, unit: str, initial: int = 0) -> None:
        self.total, self.title, self.unit, self.done = total, title, unit, initial
        self._started = self._last = time.monotonic()
        self._first = initial
        self._bar = (
            tqdm(total=total, desc=title, unit=unit, initial=initial, dynamic_ncols=True)
            if sys.stderr.isatty()
            else None
        )

    def update(self, n: int = 1, figures: Mapping[str, Any] | None = None) -> None:
        """Advance by n; `figures` are shown beside the bar."""
        self.done += n
        shown = " ".join(f"{k} {v:.3g}" for k, v in (figures or {}).items())
        if self._bar is not None:
            self._bar.set_postfix_str(shown, refresh=False)
            self._bar.update(n)
            return
        now = time.monotonic()
        if now - self._last < LOG_SECONDS and self.done < self.total:
            return
        self._last = now
        elapsed = now - self._started
        left = elapsed / max(1, self.done - self._first) * (self.total - self.done)
        log.info(
            "%s: %d/%d %s, %.0f s gone, %.0f s to go%s",
            self.title,
            self.done,
            self.total,
            self.unit,
            elapsed,
            left,
            f" | {shown}" if shown else "",
        )

    def close(self) -> None:
        """Leave the terminal's bar as it stands."""
        if self._bar is not None:
            self._bar.close()
