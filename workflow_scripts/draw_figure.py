"""Draw one figure of a task.

In:  metrics, and by what the figure needs score/<run>/<seed>/<vector> or
     trained/<run>/<seed>[/<objective>]; spec.params: figure (a file of moa/reporting/figures/), needs
     (what it draws beside the metrics), labels (of its methods), compared (the methods that are held
     against each other).
"""

import json
from importlib import import_module

from moa.reporting.adopted import adopted_notes
from moa.reporting.caution import caution_notes
from moa.reporting.figures import footnotes
from moa.reporting.figures.style import save
from moa.reporting.inputs import READERS
from moa.runtime.job import run
from moa.runtime.provenance import adopted
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    name = job.params["figure"]
    metrics = json.loads((job.inputs["metrics"] / "metrics.json").read_text())
    metrics |= {key: job.params[key] for key in ("labels", "compared")}
    tables = {need: READERS[need](job.inputs, metrics) for need in job.params["needs"]}
    notes = [*caution_notes(metrics), *adopted_notes(adopted(job.inputs.values()))]
    with footnotes.ending_with(notes):
        figure = import_module(f"moa.reporting.figures.{name}").draw(metrics, **tables)
    save(figure, job.out, name)


if __name__ == "__main__":
    run(main, __doc__)
