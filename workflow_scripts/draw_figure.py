"""Draw one figure of a task from its metrics and scores.

In:  metrics, score/<run>/<seed>; spec.params: figure (a file of moa/plots/).
Out: <figure>.pdf and <figure>.png.
"""

import json
from importlib import import_module

import pandas as pd

from moa.job import run
from moa.plots.style import save
from moa.store import Job

TEXT = ("prompt", "response")  # no figure shows them, and they are most of a file's size


def main(job: Job) -> None:
    name = job.params["figure"]
    metrics = json.loads((job.inputs["metrics"] / "metrics.json").read_text())
    scores = [
        pd.read_parquet(folder / "scores.parquet").drop(columns=list(TEXT))
        for role, folder in job.inputs.items()
        if role.startswith("score/")
    ]
    figure = import_module(f"moa.plots.{name}").draw(metrics, pd.concat(scores, ignore_index=True))
    save(figure, job.out, name)


if __name__ == "__main__":
    run(main, __doc__)
