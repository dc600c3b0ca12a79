"""Write the report of a config: figures, tables, explorers and where they come from, in one file.

Out: results/<config>/report.html, which needs no network, and report.zip, the same as files. Status 1 if
the run is not whole; what is missing is named.
"""

import argparse
import sys
from pathlib import Path

from moa.runtime.errors import ConfigError, JobError
from moa.tools.report.one_file import write_report
from moa.tools.report.pages import missing, write_pages
from moa.tools.report.provenance import all_made
from moa.tools.terminal import size
from moa.workflow.plan import CHECKOUT, read_plan

NAMED = 6  # how many missing entries are named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, required=True, help="the config to report on")
    asked = parser.parse_args().configfile
    config = asked.resolve()
    try:
        plan = read_plan(asked)
        if lacking := missing(plan):
            more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
            sys.exit(
                f"{asked} is not whole, so there is no report of it: {len(lacking)} of "
                f"{len(plan.entries)} entries are missing in {plan.config.store}: "
                f"{', '.join(lacking[:NAMED])}{more}; run `make run CONFIG={asked}` first"
            )
        made = all_made(plan)
        write_pages(plan, made, config, CHECKOUT)
        for name in ("report.html", "report.zip"):
            path = CHECKOUT / "results" / plan.config.name / name
            write_report(path, made, config, CHECKOUT)
            print(f"{path.relative_to(CHECKOUT)} ({size(path.stat().st_size)})")
    except (ConfigError, JobError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
