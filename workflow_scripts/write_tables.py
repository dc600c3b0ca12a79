"""Write one table of a task, or the one that pools a config's tasks.

In:  metrics, or metrics/<task> of every task; spec.params: table (a file of moa/reporting/tables/), name
     (what the files are called), paper (its own numbers for the task).
Out: <name>.csv (`by`: whose rewards a row is made of), <name>.md, <name>.tex, and <name>.json, all the
     metrics behind them.
"""

import json
from typing import Any

from moa.reporting.adopted import adopted_notes
from moa.reporting.caution import caution_notes
from moa.reporting.judged import views
from moa.reporting.tables.files import write_table
from moa.runtime.job import run
from moa.runtime.provenance import adopted
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    p, metrics = job.params, read(job)
    notes = [*caution_notes(metrics), *adopted_notes(adopted(job.inputs.values()))]
    write_table(p["table"], metrics, p["paper"], notes, job.out, p["name"])


def read(job: Job) -> dict[str, Any]:
    """A task's metrics, or those of all tasks, of which there are the judges' if every task has them."""
    found = {
        role.removeprefix("metrics").lstrip("/"): json.loads((folder / "metrics.json").read_text())
        for role, folder in job.inputs.items()
    }
    if "" in found:
        return found[""]
    tasks = {name: [v | {"judged": None} for v in views(m)] for name, m in found.items()}
    judged = {name: by[1] for name, by in tasks.items() if len(by) > 1}
    return {
        "config": next(iter(found.values()))["config"],
        "tasks": {name: by[0] for name, by in tasks.items()},
        "judged": {"tasks": judged} if len(judged) == len(tasks) else None,
    }


if __name__ == "__main__":
    run(main, __doc__)
