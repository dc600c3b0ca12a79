"""Draw one figure of a task.

In:  metrics, and by what the figure needs score/<run>/<seed> or train/<run>/<seed>[/<objective>];
     spec.params: figure (a file of moa/plots/), needs (what it draws beside the metrics).
Out: <figure>.pdf and <figure>.png.
"""

import json
from importlib import import_module

from moa.job import run
from moa.plots.style import save
from moa.results import READERS
from moa.store import Job


def main(job: Job) -> None:
    name = job.params["figure"]
    metrics = json.loads((job.inputs["metrics"] / "metrics.json").read_text())
    tables = {need: READERS[need](job.inputs, metrics) for need in job.params["needs"]}
    save(import_module(f"moa.plots.{name}").draw(metrics, **tables), job.out, name)


if __name__ == "__main__":
    run(main, __doc__)
