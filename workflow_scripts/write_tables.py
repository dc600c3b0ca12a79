"""Write one table of a task.

In:  metrics; spec.params: table (a file of moa/reporting/tables/), name (what the files are called), paper
     (its own numbers for the task).
Out: <name>.csv, <name>.md, <name>.tex, and <name>.json, all the metrics behind them.
"""

import json
import shutil
from importlib import import_module

from moa.reporting.adopted import adopted_notes
from moa.runtime.job import run
from moa.runtime.provenance import adopted
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    table = import_module(f"moa.reporting.tables.{job.params['table']}")
    name, paper = job.params["name"], job.params["paper"]
    source = job.inputs["metrics"] / "metrics.json"
    metrics = json.loads(source.read_text())
    table.frame(metrics, paper).to_csv(job.out / f"{name}.csv", index=False)
    notes = adopted_notes(adopted(job.inputs.values()))
    markdown = table.markdown(metrics, paper) + "".join(f"\n{note}\n" for note in notes)
    (job.out / f"{name}.md").write_text(markdown)
    latex = table.latex(metrics, paper) + "".join(f"% {note}\n" for note in notes)
    (job.out / f"{name}.tex").write_text(latex)
    shutil.copy(source, job.out / f"{name}.json")


if __name__ == "__main__":
    run(main, __doc__)
