"""Snakemake's report of a config, written and made to open in Chromium."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from moa.runtime.errors import JobError

# Chromium opens no page whose data: address has more than 2 MB, and says so nowhere: an explorer would be
# blank. A blob has no such limit.
BLOBS = """<script id="blobs">
for (const result of Object.values(results)) {
  if (!["text/html", "application/pdf"].includes(result.mime_type)) continue;
  const bytes = Uint8Array.from(atob(result.data_uri.split(";base64,")[1]), c => c.charCodeAt(0));
  const type = result.mime_type + (result.mime_type === "text/html" ? ";charset=utf-8" : "");
  result.data_uri = URL.createObjectURL(new Blob([bytes], { type }));
}
</script>
"""
AFTER_RESULTS = '<script id="categories">'  # in Snakemake's page, what comes after them


def write_report(path: Path, config: Path, root: Path) -> None:
    """Have Snakemake write its report of all that `rules/report.smk` names, at path (.html or .zip).

    root: the checkout. Raises: JobError if Snakemake fails, with what it said.
    """
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local"]
    command += ["--configfile", str(config), "--report", str(path), "--", "report"]
    done = subprocess.run(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise JobError(f"Snakemake could not write {path}:\n{done.stdout[-4000:]}")
    if path.suffix == ".html":
        path.write_text(with_blobs(path.read_text(encoding="utf-8")), encoding="utf-8")


def with_blobs(report: str) -> str:
    """The report with a script that makes blobs of its pages.

    Raises: JobError if it is not the page of the Snakemake that this was written for.
    """
    if report.count(AFTER_RESULTS) != 1:
        raise JobError(
            f"Snakemake's report has no single {AFTER_RESULTS}: install the version of requirements.lock"
        )
    return report.replace(AFTER_RESULTS, BLOBS + AFTER_RESULTS)
