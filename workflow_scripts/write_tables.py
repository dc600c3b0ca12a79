"""Write one table of a task.

In:  metrics; spec.params: table (a file of moa/reporting/tables/), name (what the files are called), paper
     (its own numbers for the task).
Out: <name>.csv (`by`: whose rewards a row is made of), <name>.md, <name>.tex, and <name>.json, all the
     metrics behind them.
"""

import json
import shutil
from importlib import import_module

import pandas as pd

from moa.reporting.adopted import adopted_notes
from moa.reporting.judged import views
from moa.runtime.job import run
from moa.runtime.provenance import adopted
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    table = import_module(f"moa.reporting.tables.{job.params['table']}")
    name, paper = job.params["name"], job.params["paper"]
    source = job.inputs["metrics"] / "metrics.json"
    metrics = json.loads(source.read_text())
    by = list(views(metrics))
    frames = [table.frame(view, paper).assign(by=view["by"]) for view in by]
    pd.concat(frames).to_csv(job.out / f"{name}.csv", index=False)
    notes = adopted_notes(adopted(job.inputs.values()))
    markdown = "\n".join(table.markdown(view, paper) for view in by)
    (job.out / f"{name}.md").write_text(markdown + "".join(f"\n{note}\n" for note in notes))
    latex = "\n".join(table.latex(view, paper) for view in by)
    (job.out / f"{name}.tex").write_text(latex + "".join(f"% {note}\n" for note in notes))
    shutil.copy(source, job.out / f"{name}.json")


if __name__ == "__main__":
    run(main, __doc__)
