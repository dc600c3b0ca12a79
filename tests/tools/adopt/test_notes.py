"""Tables and figures say how many of the entries behind them were adopted."""

import shutil
from types import SimpleNamespace

import pandas as pd
import pytest

import draw_figure
import write_tables
from moa.reporting.figures import footnotes, style
from moa.reporting.tables import files
from moa.reporting.tables.common import Table, to_latex, to_markdown
from moa.runtime.files import write_json
from moa.runtime.provenance import adopted
from moa.runtime.publishing import Job, read_manifest
from support.adopting import TRAINER, adopt_all, one
from support.tiny_store import publish, tiny_plan


@pytest.fixture
def metrics(plan, store, change):
    """The folder of the metrics, made anew after an adoption."""
    change(TRAINER)
    new = tiny_plan(store)
    adopt_all(new, store)
    publish(store, [one(new, "metrics")], {"metrics.json": '{"judged": null}'})
    return store / one(new, "metrics").rel


def report(script, params, folder, out):
    out.mkdir()
    script.main(Job({"params": params}, {"metrics": folder}, out, out))


def test_what_is_behind_an_entry_is_walked_to_its_end(plan, store, metrics):
    names = adopted([metrics])
    assert names == sorted(set(names)) and stages_of(names) >= {"sft", "online", "score"}
    assert all("adopted" in read_manifest(store / name) for name in names)
    assert not adopted([store / one(plan, "metrics").rel])
    shutil.rmtree(store / next(name for name in names if name.startswith("sft/")))
    assert stages_of(adopted([metrics])) == stages_of(names) - {"sft"}


def stages_of(names):
    return {name.split("/")[0] for name in names}


def test_tables_say_it_in_a_note_and_only_then(plan, store, metrics, tmp_path, monkeypatch):
    table = Table("a title", ["Method", "HV"], [["ours", "1"]], ["One note."])
    module = SimpleNamespace(
        frame=lambda *_: pd.DataFrame({"hv": [1]}),
        table=lambda *_: table,
    )
    monkeypatch.setattr(files, "import_module", lambda _: module)
    params = {"table": "summary", "name": "t", "paper": {}}
    note = f"Adopted without being made again: {len(adopted([metrics]))} entries"
    report(write_tables, params, metrics, tmp_path / "after")
    markdown, latex = ((tmp_path / "after" / f"t.{e}").read_text() for e in ("md", "tex"))
    assert markdown.startswith(to_markdown(table)) and latex.startswith(to_latex(table))
    assert markdown.endswith(f"One note.\n\n{note} (each one's manifest.json says why).\n")
    assert latex.endswith(f"% One note.\n% {note} (each one's manifest.json says why).\n")

    write_json(store / one(plan, "metrics").rel / "metrics.json", {"judged": None})
    report(write_tables, params, store / one(plan, "metrics").rel, tmp_path / "before")
    assert (tmp_path / "before" / "t.md").read_text() == to_markdown(table)
    assert (tmp_path / "before" / "t.tex").read_text() == to_latex(table)
    csv = [(tmp_path / when / "t.csv").read_text() for when in ("before", "after")]
    assert csv[0] == csv[1]


def test_figures_say_it_in_their_small_print_and_only_then(
    plan, store, metrics, tmp_path, monkeypatch
):
    def draw(metrics):
        figure = style.new_figure(3, 2)
        figure.add_subplot().plot([0, 1])
        footnotes.add(figure, ["n = 1."])
        style.settle(figure)  # as those do that place labels in pixels
        return figure

    notes = []
    monkeypatch.setattr(draw_figure, "import_module", lambda _: SimpleNamespace(draw=draw))
    monkeypatch.setattr(
        draw_figure, "save", lambda figure, *_: notes.append(figure.texts[-1].get_text())
    )
    write_json(store / one(plan, "metrics").rel / "metrics.json", {})
    for folder in (metrics, store / one(plan, "metrics").rel):
        report(
            draw_figure,
            {"figure": "f", "needs": [], "labels": {}, "compared": []},
            folder,
            tmp_path / folder.name,
        )
    said = f"n = 1. Adopted without being made again: {len(adopted([metrics]))} entries"
    assert notes[0].replace("\n", " ") == f"{said} (each one's manifest.json says why)."
    assert notes[1] == "n = 1."
