"""Write a task's summary table.

In:  metrics; spec.params: paper (the paper's own numbers for the task).
Out: summary.csv, summary.md, summary.tex, and summary.json, the metrics they show.
"""

import json
import shutil

from moa.job import run
from moa.store import Job
from moa.tables import summary_frame, summary_latex, summary_markdown


def main(job: Job) -> None:
    source = job.inputs["metrics"] / "metrics.json"
    metrics = json.loads(source.read_text())
    paper = job.params["paper"]
    summary_frame(metrics, paper).to_csv(job.out / "summary.csv", index=False)
    (job.out / "summary.md").write_text(summary_markdown(metrics, paper))
    (job.out / "summary.tex").write_text(summary_latex(metrics, paper))
    shutil.copy(source, job.out / "summary.json")


if __name__ == "__main__":
    run(main, __doc__)
