"""Compare files of responses by the scores in them: tables, figures and an explorer. Nothing is trained,
and no model is loaded. docs/your_responses.md has the form of the files.
"""

import argparse
import sys
from pathlib import Path

from moa.reporting.tables.common import HEADLINE, estimate
from moa.runtime.errors import JobError
from moa.tools.compare.results import compare, doubts, notes_of
from moa.tools.terminal import table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help=".jsonl, .jsonl.gz or .csv, a run each")
    parser.add_argument("--objectives", nargs="+", required=True, help="in the order of each w")
    parser.add_argument("--out", required=True, type=Path, help="the folder to write into")
    parser.add_argument("--scale", type=Path, help="JSON with mean and std per objective")
    args = parser.parse_args()
    try:
        metrics = compare(args.files, args.objectives, args.out, args.scale)
    except JobError as error:
        sys.exit(str(error))
    rows = [
        (name, *(estimate(run[key]) for key in HEADLINE)) for name, run in metrics["runs"].items()
    ]
    print(table(("", *HEADLINE.values()), rows))
    for name, run in metrics["runs"].items():
        for warning in run["warnings"]:
            print(f"(!) {name}: {warning}")
    for doubt in doubts(metrics):
        print(f"(!) {doubt}")
    for note in notes_of(metrics)[1:]:
        print(note)
    print(f"{args.out}: tables/summary.md, figures/pareto_fronts.pdf, explorer.html and more")


if __name__ == "__main__":
    main()
