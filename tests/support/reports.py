"""Reports of tests/tiny.yaml: of a real run, read in Chromium as a person would, and of made-up entries."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from moa.runtime.files import write_json
from moa.workflow.plan import Plan
from support.browser import Watched, chromium, expect
from support.tiny_store import publish, tiny_plan

CHECKED = {"what": "EOS and pad", "verdict": "ok", "found": "</s> & <pad>", "mend": ""}
STORE = "results/store"
TABLE = (
    "# tiny / safety\n\n| Method | HV ↑ |\n|---|---|\n| <b>A</b> (!) | 1.2 [1, 2] |\n\nA note.\n"
)
METRICS = {
    "runs": {"mi_epo": {"betas": {"beta_c": 1.6}, "nats_per_token": None}},
    "similarity": {"betas": "raw", "max_new_tokens": 8},
}


def published(store: Path, **changes: Any) -> Plan:
    """A plan, whole, whose files hold just enough to be told about."""
    plan = tiny_plan(store, **changes)
    files = {file: TABLE for _, file in plan.views.values()}
    publish(store, plan.entries.values(), {**files, "metrics.json": json.dumps(METRICS)})
    return plan


def read_reports(checkout: Path, folder: Path, figures: Sequence[str]) -> None:
    """Make both forms of it and read them. folder: where the zip is unpacked. figures: of the task."""
    with chromium() as browser:
        report, archive = make_reports(checkout)
        read_report(browser, report, checkout, figures)
        with ZipFile(archive) as files:
            files.extractall(folder)
        read_report(browser, folder / "report" / "report.html", checkout, figures)


def make_reports(checkout: Path) -> tuple[Path, Path]:
    """The .html and the .zip of a whole run, as if `make check` had found CHECKED."""
    found = {"entries": [], "prompt": "Human: <b>x</b> | y", "checks": [CHECKED]}
    write_json(checkout / "results" / "tiny" / "safety" / "check.json", found)
    command = [sys.executable, "workflow_scripts/write_report.py", "--configfile", "tiny.yaml"]
    done = subprocess.run(
        command, cwd=checkout, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "results/tiny/report.html (" in done.stdout and "report.zip (" in done.stdout
    return checkout / "results/tiny/report.html", checkout / "results/tiny/report.zip"


def read_report(browser: Any, path: Path, checkout: Path, figures: Sequence[str]) -> None:
    """Look at a result of each kind, and at where they come from."""
    watched = Watched(browser, "#rulegraph canvas, #rulegraph svg", {"log", "warning"})
    page = watched.open(path, viewport={"width": 1400, "height": 900})
    expect(page.locator("#app")).to_contain_text("Results of a run of MI-EPO")
    entries = sorted((checkout / STORE).glob("*/*/manifest.json"))

    go(page, "safety", "figures")
    assert listed(page) == sorted(name.replace("_", " ") for name in figures)
    result(page, "pareto fronts").first.click()
    image = page.locator("#app img[src*='png'], #app img[src*='data/raw']").last
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 800
    result(page, "pareto fronts").last.click()
    for said in ("A point is the mean normalised reward", "Task safety, objectives", "Betas x 16"):
        expect(page.locator("nav ul")).to_contain_text(said)
    expect(page.locator("nav ul")).to_contain_text("Entry figure/pareto_fronts-tiny-safety-")

    go(page, "safety", "tables")
    result(page, "summary", "page").first.click()
    shown = page.frame_locator("iframe")
    table = (checkout / "results/tiny/safety/tables/summary.md").read_text()
    rows = [line[2:-2].split(" | ") for line in table.splitlines() if line.startswith("| ")]
    expect(shown.locator("tr")).to_have_count(len(rows))
    for number, cells in enumerate(rows):
        expect(shown.locator("tr").nth(number).locator("th, td")).to_have_text(cells)
    with page.expect_download() as download:
        result(page, "summary", "csv").first.click()
    kept = Path(download.value.path()).read_bytes()
    assert kept == (checkout / "results/tiny/safety/tables/summary.csv").read_bytes()

    go(page, "safety", "explorer")
    result(page, "explorer").first.click()
    explorer = page.frame_locator("iframe")
    expect(explorer.locator("html[data-ready]")).to_be_attached()
    explorer.locator("#w").fill("10")
    expect(explorer.locator("#chosen")).to_have_text("helpfulness 1.00, harmlessness 0.00")

    go(page, "safety", "check")
    result(page, "self-check").first.click()
    check = page.frame_locator("iframe")
    expect(check.locator("tbody td").nth(2)).to_have_text(CHECKED["found"])
    expect(check.locator("pre")).to_have_text("Human: <b>x</b> | y")
    expect(check.locator("body")).to_contain_text("run `make check` again")

    go(page, "provenance")
    result(page, "entries").first.click()
    origin = page.frame_locator("iframe")
    for manifest in entries:
        row = origin.locator("tr", has_text=manifest.parent.name)
        expect(row).to_contain_text("cores")
    expect(origin.locator("pre")).to_contain_text("name: tiny")

    go(page, "Statistics")
    expect(page.locator("#runtimes canvas")).to_be_visible()
    times = page.evaluate("runtimes_spec.data.values.length")
    assert times == len([m for m in entries if m.parent.parent.name != "evaluate"])
    assert watched.complaints == []
    assert {url.split(":")[0] for url in watched.requests} <= {"file", "blob", "data"}
    page.close()


def go(page: Any, *places: str) -> None:
    """From the report's first page, by its menu."""
    page.locator("nav nav li a").first.click()
    for place in places:
        page.locator("nav ul").get_by_text(place, exact=True).click()


def result(page: Any, *texts: str) -> Any:
    """The two buttons of a row of the list: show, and say what it is."""
    rows = page.locator("nav tbody tr")
    for text in texts:
        rows = rows.filter(has_text=text)
    return rows.first.locator("a")


def listed(page: Any) -> list[str]:
    return page.locator("nav tbody tr td:first-child").all_inner_texts()
