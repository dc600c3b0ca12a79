"""Estimate the peak GPU memory of every kind of job of a config, without a model or a GPU.

Prints a table; the exit status is 1 if a job does not fit.
"""

import argparse
import sys
from pathlib import Path

from moa.reporting.tables.common import to_markdown
from moa.runtime.errors import ConfigError
from moa.tools.estimates.jobs import gpu_jobs
from moa.tools.estimates.memory import GB, peaks
from moa.tools.estimates.tables import memory_table
from moa.workflow.plan import read_plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, required=True, help="the config to plan")
    parser.add_argument(
        "--gpu-gb", type=float, default=40, help="memory of a GPU in GB of 10^9 bytes (default: 40)"
    )
    args = parser.parse_args()
    try:
        found = peaks(gpu_jobs(read_plan(args.configfile)))
    except ConfigError as error:
        sys.exit(str(error))
    print(to_markdown(memory_table(found, args.gpu_gb)), end="")
    sys.exit(any(peak.total > args.gpu_gb * GB for peak in found))


if __name__ == "__main__":
    main()
