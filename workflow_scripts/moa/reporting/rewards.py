"""What the rewards of a task are counted in, as tables and figures say it.

metrics["normalisation"]["of"]: whose mean and deviation rewards are normalised by; None: by nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def unit(metrics: Mapping[str, Any]) -> str:
    """`normalised reward`, or `reward` where they are taken as they were given."""
    return "normalised reward" if metrics["normalisation"]["of"] else "reward"


def sentence(metrics: Mapping[str, Any]) -> str:
    """What was done to them."""
    of = metrics["normalisation"]["of"]
    if not of:
        return "Rewards are the scores of the files, as they are."
    return f"Rewards are normalised by the mean and standard deviation of {of}."
