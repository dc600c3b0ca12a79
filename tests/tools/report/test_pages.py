"""Pages and captions of the report: what was published, as text, and nothing left out."""

from __future__ import annotations

import io
import json
import re
from base64 import b64encode
from pathlib import Path

import pytest
from docutils.core import publish_parts

from moa.runtime.errors import JobError
from moa.runtime.files import write_json
from moa.runtime.publishing import MANIFEST
from moa.tools.report import html
from moa.tools.report.captions import caption, docstring
from moa.tools.report.one_file import PLACE, completed
from moa.tools.report.pages import check_page, write_pages
from moa.tools.report.provenance import all_made, provenance_page
from moa.workflow.outputs import BY_JUDGES, FIGURES, PHASES, POOLED, SWEEP, TABLES
from moa.workflow.reported import ALL, FOLDER, reported
from support.browser import Watched, chromium, expect
from support.paths import SCRIPTS, TINY
from support.reports import TABLE, published
from support.tiny_store import tiny_config, tiny_plan

HOSTILE = "<script>alert(1)</script> </td> & \" ' \u2028 a_b `c` *d* |e| {{ f }} {% g %} x_"


def changed(store, entry, **facts):
    path = store / entry.rel / MANIFEST
    write_json(path, json.loads(path.read_text()) | facts)


def test_a_table_s_page_has_its_cells_and_notes_as_text():
    page = html.of_markdown(TABLE)
    assert "<h1>tiny / safety</h1>" in page and "<p>A note.</p>" in page
    assert '<td class="text">&lt;b&gt;A&lt;/b&gt; (!)</td><td>1.2 [1, 2]</td>' in page
    judged = html.of_markdown(TABLE + "\n" + TABLE.replace("safety", "safety: by the judges"))
    assert judged.count("<table>") == 2 and "<h2>tiny / safety: by the judges</h2>" in judged


def test_no_text_becomes_markup():
    parts = [html.paragraph(HOSTILE), html.heading(HOSTILE), html.points([HOSTILE])]
    parts += [html.code(HOSTILE), html.folded(HOSTILE, ""), html.table([HOSTILE], [[HOSTILE]])]
    page = html.page(HOSTILE, parts)
    assert "<script" not in page and page.count("&lt;script&gt;") == 9
    assert "http" not in page and not re.search(r"\b(src|href)=", page)


@pytest.mark.parametrize(
    ("folder", "names"),
    [("figures", [*FIGURES, *BY_JUDGES, *PHASES, SWEEP]), ("tables", [*TABLES, POOLED])],
)
def test_every_figure_and_table_says_what_it_shows(folder, names):
    for name in names:
        path = SCRIPTS / "moa" / "reporting" / folder / f"{name}.py"
        assert len(docstring(path)) > 60, f"{path} is what the report's caption is made of"


def test_everything_is_reported_once_with_its_caption_and_labels(store, tmp_path):
    two = tiny_config(store)["tasks"] | {"other": tiny_config(store)["tasks"]["safety"]}
    plan = published(store, tasks=two)
    (tmp_path / "results/tiny/safety").mkdir(parents=True)
    write_json(tmp_path / "results/tiny/safety/check.json", {"prompt": "", "checks": []})
    write_pages(plan, all_made(plan), TINY, tmp_path)
    found = reported(plan, tmp_path)
    assert len({shown.file for shown in found}) == len(found)
    assert all(shown.file.is_file() and shown.caption.is_file() for shown in found)
    labels = [(s.category, s.kind, *s.labels.values()) for s in found]
    assert len(set(labels)) == len(labels)
    assert {s.category for s in found} == {"safety", "other", ALL, "provenance"}
    figures = {s.name for s in found if (s.category, s.kind) == ("safety", "figures")}
    views = [Path(view) for view in plan.views if "/safety/figures/" in view]
    assert figures == {view.stem for view in views}
    assert {s.form for s in found if s.kind == "tables"} == {"page", "csv", "tex"}
    assert [(s.category, s.name) for s in found if s.kind == "check"] == [("safety", "self-check")]
    in_pages = [s.file for s in found if FOLDER in s.file.parts]
    assert len(in_pages) == len([s for s in found if s.form == "page" and s.kind != "explorer"])
    (front,) = [s for s in found if s.labels == {"name": "pareto fronts", "format": "image"}][:1]
    text = front.caption.read_text().replace("\\", "")
    assert "A point is the mean normalised reward" in text
    assert (
        "Task safety, objectives helpfulness, harmlessness. Betas raw, for responses of 8" in text
    )


def test_captions_are_text_to_docutils(store):
    plan = published(store)
    (shown, *_) = reported(plan, store)
    object.__setattr__(plan.config.tasks["safety"], "objectives", [HOSTILE])
    changed(store, shown.entry, adopted={"why": "as before::\n\n  - x\n"})
    complaints = io.StringIO()
    settings = {"warning_stream": complaints}
    body = publish_parts(caption(plan, shown), writer="html", settings_overrides=settings)["body"]
    assert complaints.getvalue() == "" and not re.search("<(script|li|pre)", body)
    assert "as before:: - x." in body
    for word in ("a_b", "`c`", "*d*", "|e|", "x_", "{{ f }}"):
        assert word in body.replace("\u2028", " ")


def test_provenance_tells_time_over_all_starts_and_what_to_know_first(store):
    plan = published(store)
    first, second, third, *_ = plan.entries.values()
    starts = [
        {"attempt": 1, "started": "2026-01-01T00:00:00Z"},
        {"attempt": 1, "ended": "2026-01-01T01:00:00Z", "outcome": "preempted"},
        {"attempt": 2, "started": "2026-01-01T02:00:00Z"},
    ]
    hardware = {"machine": "x86_64", "cpus": 8, "gpus": ["A100", "A100"]}
    for entry in plan.entries.values():
        changed(store, entry, git_commit="abc")
    changed(store, first, attempts=starts, wall_seconds=30.0, git_commit="abc-dirty")
    changed(
        store, second, attempts=[starts[0], starts[2]], versions={"torch": "1"}, hardware=hardware
    )
    changed(store, third, adopted={"why": "only <logs>"}, versions={"torch": "2"}, git_commit=None)
    made = all_made(plan)
    assert made[0].seconds == 3630 and (made[0].starts, made[0].cut) == (2, False)
    assert (made[1].starts, made[1].cut) == (2, True)
    page = provenance_page("tiny", made, TINY)
    for said in (
        "1 entry was made by code with changes that are in no commit (-dirty).",
        "1 entry was adopted: made by older code that was said to be equal.",
        "made in starts of which some were killed: times are at least so.",
        "torch had several versions: 1, 2",
        "x86_64, 8 cores, 2 x A100",
        "only &lt;logs&gt;",
        "of no known commit",
        "name: tiny",
    ):
        assert said in page, said
    rows = page.split("Every entry")[1]
    assert all(f"{e.name}-{e.key}" in rows for e in plan.entries.values())


def test_a_check_of_other_entries_is_said_to_be(store):
    plan = tiny_plan(store)
    row = {"what": "EOS", "verdict": "fails", "found": HOSTILE, "mend": "do"}
    found = {"prompt": HOSTILE, "checks": [row], "entries": plan.checked("safety")}
    page = check_page(plan, "safety", found)
    assert "FAILS" in page and "<script" not in page and "again" not in page
    assert "run `make check` again" in check_page(plan, "safety", found | {"entries": []})


def test_a_page_of_three_megabytes_opens_and_times_are_those_of_the_manifests(store, tmp_path):
    plan = published(store)
    text = html.page("large", [html.paragraph("here: ä"), html.code("x" * 3_000_000)])
    uri = "data:text/html;charset=utf8;filename=x.html;base64," + b64encode(text.encode()).decode()
    results = {"a": {"mime_type": "text/html", "data_uri": uri}}
    results["b"] = {"mime_type": "text/html", "data_uri": "data/raw/x.html"}
    page = (
        f"<!doctype html><script>var results = {json.dumps(results)}, runtimes_spec = {{data: {{}}}},"
        f" timeline_spec = {{data: {{}}}};</script>\n{PLACE}</script><iframe></iframe><script>"
        'document.querySelector("iframe").src = results.a.data_uri;</script>'
    )
    path = tmp_path / "report.html"
    path.write_text(completed(page, all_made(plan)), encoding="utf-8")
    with chromium() as browser:
        opened = Watched(browser, "iframe").open(path)
        expect(opened.frame_locator("iframe").locator("p")).to_have_text("here: ä")
        assert opened.evaluate("results.b.data_uri") == "data/raw/x.html"
        times = opened.evaluate("timeline_spec.data.values")
    receipts = [entry for entry in plan.entries.values() if entry.stage == "evaluate"]
    assert len(times) == len(plan.entries) - len(receipts)
    assert {t["rule"] for t in times} >= {"draw_figure", "generate_responses"}


def test_another_snakemake_s_page_is_refused(store):
    with pytest.raises(JobError, match=r"requirements\.lock"):
        completed("<html></html>", [])
