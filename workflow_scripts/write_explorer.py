"""Write the response explorer of a task.

In:  metrics, score/<run>/<seed>/<vector> and, where the task has judges, judge/...; spec.params: page (a
     digest of the page's sources).
Out: explorer.html, which needs no other file and no network.
"""

import json

from moa.reporting.adopted import adopted_notes
from moa.reporting.caution import caution_notes
from moa.reporting.explorer.content import content
from moa.reporting.explorer.packing import packed
from moa.reporting.explorer.page import page
from moa.reporting.inputs import read_responses
from moa.runtime.job import log, run
from moa.runtime.provenance import adopted
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    metrics = json.loads((job.inputs["metrics"] / "metrics.json").read_text())
    responses = read_responses(job.inputs)
    judged = read_responses(job.inputs, "judge") if metrics["judged"] else None
    notes = [*caution_notes(metrics), *adopted_notes(adopted(job.inputs.values()))]
    html = page(packed(content(metrics, responses, judged, notes)))
    (job.out / "explorer.html").write_text(html, encoding="utf-8", newline="\n")
    log.info("%d responses, a page of %.2f MB", len(responses), len(html.encode()) / 1e6)


if __name__ == "__main__":
    run(main, __doc__)
