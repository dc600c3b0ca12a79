"""A job refuses to run with other packages than its key tells of, as a container may have."""

import json
import subprocess
import sys
from importlib import metadata

from moa.runtime.publishing import is_published
from support.paths import SCRIPTS
from support.tiny_store import tiny_plan


def test_a_job_with_other_packages_than_planned_is_refused(store):
    plan = tiny_plan(store)
    (entry,) = (e for e in plan.entries.values() if e.stage == "data")
    store.mkdir(parents=True)
    out, spec = store / entry.rel, store / "spec.json"
    assert entry.spec["versions"].keys() == {"datasets", "numpy"}

    def make(**versions):
        spec.write_text(json.dumps({**entry.spec, "versions": versions}))
        command = [sys.executable, SCRIPTS / "prepare_data.py", "--spec", spec, "--out", out]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    old = make(numpy="1.26.4", datasets=entry.spec["versions"]["datasets"], never="1.0")
    assert old.returncode == 1 and not is_published(out)
    here = metadata.version("numpy")
    assert f"numpy {here} for 1.26.4, never (not installed) for 1.0; give Snakemake" in old.stderr
    assert make(**entry.spec["versions"]).returncode == 0 and is_published(out)
