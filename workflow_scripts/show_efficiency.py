"""What Slurm's accounting says of the jobs behind a config's store: time, processors, memory.

Where there is no accounting, it says so in one line.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from moa.runtime.attempts import ATTEMPTS
from moa.runtime.errors import ConfigError
from moa.runtime.publishing import MANIFEST
from moa.workflow.plan import read_plan

COLUMNS = "JobID,State,Elapsed,TotalCPU,AllocCPUS,MaxRSS,ReqMem,AllocTRES"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, required=True)
    try:
        store = Path(read_plan(parser.parse_args().configfile).config.store)
    except ConfigError as error:
        sys.exit(str(error))
    jobs = slurm_jobs(store)
    if not jobs:
        sys.exit(f"no Slurm job is behind {store}: nothing to report")
    if shutil.which("sacct") is None:
        sys.exit("no Slurm accounting here: sacct is not installed")
    command = ["sacct", f"--jobs={','.join(jobs)}", f"--format={COLUMNS}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"no Slurm accounting here: {done.stderr.strip().splitlines()[-1]}")
    print(done.stdout, end="")


def slurm_jobs(store: Path) -> list[str]:
    """Ids of all Slurm jobs that made an entry of the store or work on one."""
    lines = []
    for manifest in store.glob(f"*/*/{MANIFEST}"):
        lines += json.loads(manifest.read_text()).get("attempts", [])
    for attempts in store.parent.glob(f"work/*/{ATTEMPTS}"):
        lines += [json.loads(line) for line in attempts.read_text().splitlines()]
    return sorted({line["slurm_job"] for line in lines if line.get("slurm_job")})


if __name__ == "__main__":
    main()
