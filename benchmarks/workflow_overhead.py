"""What the workflow itself takes: a run with nothing to do, one figure drawn again, a whole plan.

    python benchmarks/workflow_overhead.py [--rounds 3]

In a folder of its own, which the tiny config of the tests fills first, by Snakemake as `make run` calls it:

- no-op: `snakemake` when everything is there;
- redraw: the same after the entry of one figure was removed, which is one job;
- plan: `snakemake -n` of config/synthetic.yaml where nothing is there, so that all jobs are planned.

The three take turns. Prints the jobs of each, and last `seconds_noop`, `seconds_redraw` and `seconds_plan`,
medians, Snakemake's own start included.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shared import Figures, alternate, command_line, print_figures, print_machine

REPO = Path(__file__).resolve().parents[1]
TINY = REPO / "tests" / "tiny.yaml"
WHOLE = REPO / "config" / "synthetic.yaml"
FIGURE = "pareto_fronts"


def snakemake(folder: Path, config: Path, *arguments: str) -> Figures:
    """Run this checkout's workflow in a folder. Returns: `seconds`, and `jobs` that it ran or planned.

    Raises: CalledProcessError if Snakemake fails; what it printed is shown.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPO / "Snakefile")]
    command += ["--directory", str(folder), "--profile", str(REPO / "profiles" / "local")]
    command += ["--configfile", str(config), *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    seconds = time.perf_counter() - started
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], file=sys.stderr)
        done.check_returncode()
    return {"seconds": seconds, "jobs": jobs_of(done.stdout + done.stderr)}


def jobs_of(output: str) -> int:
    """Jobs in Snakemake's table of them; a target that only names others is none."""
    table = re.search(r"^job +count\n-.*\n((?:\S+ +\d+\n)+)", output, re.MULTILINE)
    if table is None:  # nothing to be done
        return 0
    counts = dict(line.split() for line in table[1].splitlines())
    return int(counts["total"]) - int(counts.get("all", 0))


def redraw(folder: Path) -> Figures:
    """Remove one figure's entry, and run."""
    (entry,) = (folder / "results" / "store" / "figure").glob(f"{FIGURE}-*")
    shutil.rmtree(entry)
    return snakemake(folder, TINY)


def main() -> None:
    args = command_line(__doc__, 3).parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as filled, tempfile.TemporaryDirectory() as empty:
        filling = snakemake(Path(filled), TINY)
        print(f"filled the store: {filling['jobs']:.0f} jobs, {filling['seconds']:.1f} s")
        runs = {
            "noop": lambda: snakemake(Path(filled), TINY),
            "redraw": lambda: redraw(Path(filled)),
            "plan": lambda: snakemake(Path(empty), WHOLE, "--dry-run"),
        }
        found = alternate(runs, args.rounds, warm_up=False)
    for name, figures in found.items():
        print(f"{name}: {figures['jobs']:.0f} jobs")
    print_figures(**{f"seconds_{name}": figures["seconds"] for name, figures in found.items()})


if __name__ == "__main__":
    main()
