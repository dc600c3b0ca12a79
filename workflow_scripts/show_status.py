"""Show how far the runs of a config are: what is done, what runs, what is left, what failed and why."""

import argparse
import sys
import time
from pathlib import Path

from moa.runtime.errors import ConfigError
from moa.tools.durations import Durations, left_note
from moa.tools.status import COLUMNS, Status
from moa.tools.terminal import table
from moa.workflow.plan import CHECKOUT, read_plan
from moa.workflow.views import outdated_notes

LOGS = "results/logs"  # of a checkout; rules/common.smk has the jobs write there


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, required=True, help="the config to look at")
    args = parser.parse_args()
    try:
        plan = read_plan(args.configfile)
    except ConfigError as error:
        sys.exit(str(error))
    status = Status(plan, time.time())
    for name, task in plan.config.tasks.items():
        print(f"{name} (rewards: {' '.join(task.objectives)})")
        print(table(COLUMNS, status.rows(name)), end="\n\n")
    print(f"{status.summary()}\nlooked for in {status.store}")
    if note := left_note(status.left(Durations(plan, CHECKOUT / LOGS))):
        print(note)
    for note in outdated_notes(plan, CHECKOUT):
        print(note)
    for failure in status.failures():
        print(failure)


if __name__ == "__main__":
    main()
