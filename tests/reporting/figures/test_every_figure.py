"""Figures: drawn from made-up results, including degenerate ones, without torch, reproducibly."""

from __future__ import annotations

import inspect
import itertools
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from moa.reporting.figures import footnotes, style
from moa.workflow.keys import constant
from support.made_up_figures import FIGURES, draw, note, objectives
from support.paths import SCRIPTS


def written(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """All text that is really drawn, in the order of drawing."""
    seen: list[Text] = []
    plain = Text.draw

    def watch(self: Text, renderer: Any) -> None:
        seen.append(self)
        plain(self, renderer)

    monkeypatch.setattr(Text, "draw", watch)
    with mpl.rc_context(style.RC):
        figure.draw(figure.canvas.get_renderer())
    return [text for text in dict.fromkeys(seen) if text.get_visible() and text.get_text().strip()]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_takes_what_it_says_it_needs(name: str) -> None:
    needs = constant(f"moa.reporting.figures.{name}", "NEEDS", None)
    parameters = inspect.signature(import_module(f"moa.reporting.figures.{name}").draw).parameters
    assert list(parameters) == ["metrics", *needs, "width"]
    assert set(needs) <= {"scores", "curves", "explored"}


@pytest.mark.parametrize("name", FIGURES)
def test_files_are_written_and_the_same_twice(name: str, tmp_path: Path) -> None:
    first = style.save(draw(name), tmp_path / "a", name)
    again = style.save(draw(name), tmp_path / "b", name)
    assert [path.name for path in first] == [f"{name}.pdf", f"{name}.png"]
    for one, other in zip(first, again, strict=True):
        assert one.stat().st_size > 5000
        assert one.read_bytes() == other.read_bytes()
    assert b"CreationDate" not in first[0].read_bytes()
    assert b"/Type3" not in first[0].read_bytes()


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "case",
    [
        {"sd": 0.0},
        {"sd": 0.0, "spreads": {"mi_epo": 0.0, "mo_odpo": 0.0}},
        {"sd": 0.3, "grid": 0.5, "optimum": False},
        {"prompts": 1, "seeds": 1},
        {"prompts": 2, "seeds": 1},
        {"k": 3, "sd": 0.0, "seeds": 1},
        {"spreads": {"sft": 0.0}},
        {"spreads": {"rlhf": 1.0}},
        {"spreads": {"mi_epo": 1.0, "ric": 0.5}},
        {"spreads": {"mine": 1.0, "other": 0.5}, "method": {"mine": "mi_epo", "other": "new"}},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("error")
def test_degenerate_results_are_drawn(name: str, case: dict[str, Any]) -> None:
    if objectives(name) <= case.get("k", 3):
        draw(name, style.COLUMN, **{"k": objectives(name)} | case).draw_without_rendering()


@pytest.mark.parametrize("width", [style.COLUMN, style.PAGE])
@pytest.mark.parametrize(
    ("name", "k"),
    [(name, 2) for name in FIGURES if objectives(name) == 2]
    + [(name, 3) for name in FIGURES if name not in ("beta_w_sweep", "training_curves")],
)
def test_print_is_legible_and_apart(
    name: str, k: int, width: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = draw(name, width, k=k)
    assert figure.get_figwidth() == width
    texts = written(figure, monkeypatch)
    assert min(text.get_fontsize() for text in texts) >= 7
    # names of axes in space run aslant: their boxes say nothing about overlaps
    texts = [text for text in texts if text.get_rotation() in (0, 90)]
    boxes = [Text.get_window_extent(text) for text in texts]
    page = figure.bbox.padded(1)
    for one, box in zip(texts, boxes, strict=True):
        assert page.contains(box.x0, box.y0) and page.contains(box.x1, box.y1), one
    for (one, a), (other, b) in itertools.combinations(zip(texts, boxes, strict=True), 2):
        assert not a.padded(-0.5).overlaps(b.padded(-0.5)), (one, other)


@pytest.mark.parametrize("name", FIGURES)
def test_small_print_says_n_and_warns(name: str) -> None:
    text = note(draw(name, seeds=1))
    if name == "exploration":
        assert "n = 240 and 240 responses to training prompts, 1 seed per run." in text
    elif name == "training_curves":
        assert "n = 1 seed per run." in text
    else:
        assert "n = 30 prompts, 1 seed per run." in text
    if name in ("pareto_fronts", "front_3d", "objective_best"):
        assert "Warning, label of sft: no visible effect of w, costs $5 or $6" in text


@pytest.mark.parametrize("name", FIGURES)
def test_small_print_can_end_with_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = draw(name)
    more = "A sentence that no figure knows of, long enough to need a line of its own below it."
    with footnotes.ending_with([more]):
        figure = draw(name)
    assert note(figure) == f"{note(plain)} {more}" and note(draw(name)) == note(plain)
    assert figure.get_figheight() > plain.get_figheight()
    boxes = [Text.get_window_extent(text) for text in written(figure, monkeypatch)]
    strip = Text.get_window_extent(figure.texts[-1])
    assert figure.bbox.padded(1).contains(strip.x0, strip.y0)
    assert sum(strip.padded(-0.5).overlaps(box.padded(-0.5)) for box in boxes) == 1  # its own


def test_no_torch_is_imported() -> None:
    modules = ", ".join((*FIGURES, "clouds", "footnotes", "placing", "shown", "style"))
    assert {path.stem for path in Path(style.__file__).parent.glob("*.py")} == {
        "__init__",
        *modules.split(", "),
    }
    code = (
        f"import sys; from moa.reporting.figures import {modules}; "
        "sys.exit(' '.join({'torch', 'transformers'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SCRIPTS), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert ran.stderr.strip() == ""
