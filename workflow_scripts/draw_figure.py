"""Draw one figure of a task.

In:  metrics, and by what the figure needs score/<run>/<seed> or trained/<run>/<seed>[/<objective>];
     spec.params: figure (a file of moa/reporting/figures/), needs (what it draws beside the metrics),
     labels (of all methods), compared (the methods that are held against each other).
Out: <figure>.pdf and <figure>.png.
"""

import json
from importlib import import_module

from moa.reporting.figures.style import save
from moa.reporting.inputs import READERS
from moa.runtime.job import run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    name = job.params["figure"]
    metrics = json.loads((job.inputs["metrics"] / "metrics.json").read_text())
    metrics |= {key: job.params[key] for key in ("labels", "compared")}
    tables = {need: READERS[need](job.inputs, metrics) for need in job.params["needs"]}
    save(import_module(f"moa.reporting.figures.{name}").draw(metrics, **tables), job.out, name)


if __name__ == "__main__":
    run(main, __doc__)
