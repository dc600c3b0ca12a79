"""Estimate the GPU-hours of a config: per job, per run, and in total.

Every figure is an estimate from token counts and stated throughputs; none is measured.
"""

import argparse
import sys
from pathlib import Path

from moa.reporting.tables.common import to_markdown
from moa.runtime.errors import ConfigError
from moa.tools.estimates.cards import PAPERS, card_of
from moa.tools.estimates.cost import Assumptions
from moa.tools.estimates.jobs import gpu_jobs
from moa.tools.estimates.tables import job_table, run_table
from moa.workflow.plan import read_plan


def main() -> None:
    default = Assumptions()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, required=True, help="the config to plan")
    for name, what in (("prompt", "with its weights"), ("response", "sampled or of the dataset")):
        mean = getattr(default, f"{name}_tokens")
        parser.add_argument(
            f"--{name}-tokens",
            type=float,
            default=mean,
            help=f"mean tokens of a {name}, {what} (default: {mean})",
        )
    parser.add_argument(
        "--gpu", default=PAPERS, help=f"a card of config/gpus.yaml (default: {PAPERS})"
    )
    args = parser.parse_args()
    try:
        given = Assumptions(args.prompt_tokens, args.response_tokens, card_of(args.gpu))
        jobs = gpu_jobs(read_plan(args.configfile))
        tables = [job_table(jobs, given), run_table(jobs, given)]
    except ConfigError as error:
        sys.exit(str(error))
    print("All GPU-hours below are estimates, none is measured. Assumed:\n")
    print("\n".join(f"- {line}" for line in given.lines()))
    for table in tables:
        print("\n" + to_markdown(table).rstrip())


if __name__ == "__main__":
    main()
