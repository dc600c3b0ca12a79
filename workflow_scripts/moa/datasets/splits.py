"""A task's data as `prepare_data` leaves it, by split."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

DATA = "data.parquet"


def read_split(folder: Path, split: Literal["train", "test"]) -> pd.DataFrame:
    """The rows of one split, with prompt_id, prompt, chosen, rejected; the index is the row of the data."""
    frame = pd.read_parquet(folder / DATA)
    return frame[frame["split"] == split]
