"""Snakemake's report of a config, with what it lacks: pages of any size, and the times of all entries."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from moa.runtime.errors import JobError
from moa.tools.report.provenance import Made
from moa.workflow.stages import STAGES

# Chromium opens no page whose data: address has more than 2 MB, and says so nowhere: an explorer would be
# blank. A blob has no such limit.
BLOBS = """<script id="blobs">
for (const result of Object.values(results)) {
  if (!["text/html", "application/pdf"].includes(result.mime_type)) continue;
  if (!result.data_uri.startsWith("data:")) continue;
  const bytes = Uint8Array.from(atob(result.data_uri.split(";base64,")[1]), c => c.charCodeAt(0));
  const type = result.mime_type + (result.mime_type === "text/html" ? ";charset=utf-8" : "");
  result.data_uri = URL.createObjectURL(new Blob([bytes], { type }));
}
</script>
"""
# Snakemake knows the jobs that it ran in this folder itself; of a shared store that is a part, or none.
TIMES = """<script id="times">
runtimes_spec.data.values = timeline_spec.data.values = {times};
</script>
"""
PLACE = '<script id="rules">'  # in Snakemake's page, what comes after all that these change
SHORTEST = 0.01  # seconds; the plot's axis has no 0


def write_report(path: Path, made: Sequence[Made], config: Path, root: Path) -> None:
    """Have Snakemake write its report of all that `rules/report.smk` names, at path (.html or .zip).

    made: all entries. config: the file that was asked for. root: the checkout.
    Raises: JobError if Snakemake fails, with what it said.
    """
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local"]
    command += ["--configfile", str(config), "--report", str(path), "--", "report"]
    done = subprocess.run(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise JobError(f"Snakemake could not write {path}:\n{done.stdout[-4000:]}")
    if path.suffix == ".html":
        path.write_text(completed(path.read_text(encoding="utf-8"), made), encoding="utf-8")
    else:
        _complete_zip(path, made)


def completed(report: str, made: Sequence[Made]) -> str:
    """Snakemake's page with two scripts more.

    Raises: JobError if it is not the page of the Snakemake that this was written for.
    """
    if report.count(PLACE) != 1:
        raise JobError(
            f"Snakemake's report has no single {PLACE}: install the version of requirements.lock"
        )
    # A receipt takes no time of its own, and would stretch the axis.
    times = json.dumps([_times(m) for m in made if not STAGES[m.entry.stage].parts])
    return report.replace(PLACE, BLOBS + TIMES.replace("{times}", times) + PLACE)


def _complete_zip(path: Path, made: Sequence[Made]) -> None:
    with ZipFile(path) as archive:
        files = {info: archive.read(info) for info in archive.infolist()}
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for info, content in files.items():
            if info.filename == f"{path.stem}/report.html":
                content = completed(content.decode(), made).encode()
            archive.writestr(info, content)


def _times(made: Made) -> dict[str, str | float]:
    """As Snakemake's plots name them."""
    start = datetime.fromisoformat(made.at)
    return {
        "rule": STAGES[made.entry.stage].script,
        "runtime": max(SHORTEST, made.seconds),
        "starttime": start.isoformat(),
        "endtime": (start + timedelta(seconds=made.last)).isoformat(),
    }
