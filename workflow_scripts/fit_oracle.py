"""Fit a reward oracle that is learned from packaged human labels.

In:  spec.params: objective, oracle (kind and its own keys).
Out: whatever the kind's `load` reads, and report.json with its held-out accuracy.
"""

from importlib import import_module

from moa.oracles import module_name
from moa.runtime.files import write_json
from moa.runtime.job import log, run
from moa.runtime.publishing import Job


def main(job: Job) -> None:
    oracle = job.params["oracle"]
    report = import_module(module_name(oracle["kind"])).fit(
        job.params["objective"], oracle, job.out
    )
    write_json(job.out / "report.json", report)
    job.notes = report
    log.info("%s", report)


if __name__ == "__main__":
    run(main, __doc__)
