"""Long work without an optimizer (sampling, scoring) in shards, so that a killed job resumes by shard."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from moa.runtime.publishing import is_main


def in_shards(
    folder: Path, name: str, n: int, size: int, make: Callable[[slice], pd.DataFrame]
) -> pd.DataFrame:
    """The rows of `make(slice)` for 0..n in slices of `size`, each kept as <name>-<number>.parquet.

    Only the missing shards are made. Of a job's several processes, which must all call this, the
    main one writes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = []
    for number, start in enumerate(range(0, n, size)):
        path = folder / f"{name}-{number}.parquet"
        if path.exists():
            frames.append(pd.read_parquet(path))
            continue
        frames.append(make(slice(start, min(start + size, n))))
        if is_main():
            temporary = path.with_suffix(".tmp")
            frames[-1].to_parquet(temporary)
            os.replace(temporary, path)
    return pd.concat(frames, ignore_index=True)
