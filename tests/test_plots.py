"""Figures: drawn from made-up results, including degenerate ones, without torch, reproducibly."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from moa.plots import pareto_fronts, reward_distributions, style

SCRIPTS = Path(style.__file__).parents[2]
VECTORS = {
    2: [[round(i / 10, 1), round(1 - i / 10, 1)] for i in range(11)],
    3: [[0, 0, 1], [0, 1, 0], [0.1, 0.1, 0.8], [0.33, 0.33, 0.33], [0.6, 0.2, 0.2], [1, 0, 0]],
}
SPREAD = {"sft": 0.0, "rewarded_soups": 0.5, "ric": 0.7, "mo_odpo": 1.0, "mi_epo": 1.6}


def results(
    k: int = 2,
    seeds: int = 2,
    prompts: int = 30,
    optimum: bool = True,
    spreads: dict[str, float] | None = None,
    method: dict[str, str] | None = None,
    sd: float = 0.5,
    grid: float = 0.0,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Metrics and scores of runs whose points lie on arcs of a radius of their own."""
    rng = np.random.default_rng(0)
    objectives = ["helpfulness", "harmlessness", "humor"][:k]
    runs: dict[str, Any] = {}
    frames = []
    for name, spread in (spreads or SPREAD).items():
        rewards = np.empty((seeds, len(VECTORS[k]), prompts, k))
        for (s, v), _ in np.ndenumerate(rewards[:, :, 0, 0]):
            w = np.array(VECTORS[k][v]) / np.linalg.norm(VECTORS[k][v])
            rewards[s, v] = spread * (w - 0.4) + rng.normal(0, sd, (prompts, k))
            if grid:
                rewards[s, v] = np.round(rewards[s, v] / grid) * grid
            index = {"run": name, "method": (method or {}).get(name, name), "seed": s, "vector": v}
            norm = {f"norm_{o}": rewards[s, v, :, j] for j, o in enumerate(objectives)}
            weights = {f"w_{o}": VECTORS[k][v][j] for j, o in enumerate(objectives)}
            frames.append(pd.DataFrame({**norm, **weights, **index, "prompt_id": range(prompts)}))
        points, half = rewards.mean((0, 2)), 0.1 * sd
        runs[name] = {
            "method": (method or {}).get(name, name),
            "label": f"label of {name}",
            "seeds": {str(s): {"points": rewards[s].mean(1).tolist()} for s in range(seeds)},
            "points": points.tolist(),
            "points_low": (points - half).tolist(),
            "points_high": (points + half).tolist(),
            "warnings": ["no visible effect of w, costs $5 or $6"] if spread == 0 else [],
        }
    angle = np.linspace(0, np.pi / 2, 50)
    front = 2 * (np.c_[np.sin(angle), np.cos(angle)] - 0.4)
    best = [(2 * (np.array(w) / np.linalg.norm(w) - 0.4)).tolist() for w in VECTORS[k]]
    metrics = {
        "config": "made_up",
        "task": "safety",
        "objectives": objectives,
        "vectors": VECTORS[k],
        "prompts": prompts,
        "reference": [-1.0] * k,
        "runs": runs,
        "optimum": {"points": best, "front": front.tolist() if k == 2 else None}
        if optimum
        else None,
    }
    return metrics, pd.concat(frames, ignore_index=True)


def legend_labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


DRAWERS = {"pareto_fronts": pareto_fronts.draw, "reward_distributions": reward_distributions.draw}


@pytest.mark.parametrize(
    ("name", "k"), [("pareto_fronts", 2), ("pareto_fronts", 3), ("reward_distributions", 2)]
)
def test_files_are_written_and_the_same_twice(name: str, k: int, tmp_path: Path) -> None:
    metrics, scores = results(k)
    first = style.save(DRAWERS[name](metrics, scores), tmp_path / "a", name)
    again = style.save(DRAWERS[name](metrics, scores), tmp_path / "b", name)
    assert [path.name for path in first] == [f"{name}.pdf", f"{name}.png"]
    for one, other in zip(first, again, strict=True):
        assert one.stat().st_size > 5000
        assert one.read_bytes() == other.read_bytes()
    assert b"CreationDate" not in first[0].read_bytes()
    assert b"/Type3" not in first[0].read_bytes()


@pytest.mark.parametrize("name", DRAWERS)
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
        {"spreads": {"mine": 1.0, "other": 0.5}, "method": {"mine": "mi_epo", "other": "new"}},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("error")
def test_degenerate_results_are_drawn(name: str, case: dict[str, Any]) -> None:
    DRAWERS[name](*results(**case)).draw_without_rendering()


def test_distributions_survive_gaps_and_collinear_rewards() -> None:
    metrics, scores = results()
    scores["norm_harmlessness"] = 1 - scores["norm_helpfulness"]
    scores.loc[(scores["run"] == "mi_epo") & (scores["vector"] == 0), "norm_helpfulness"] = np.nan
    scores.loc[(scores["run"] == "mi_epo") & (scores["vector"] == 10), "norm_helpfulness"] = 0.25
    reward_distributions.draw(metrics, scores).draw_without_rendering()
    reward_distributions.draw(metrics, scores.iloc[:0]).draw_without_rendering()


@pytest.mark.parametrize(("k", "width"), [(2, style.COLUMN), (2, style.PAGE), (3, style.PAGE)])
def test_all_runs_are_in_the_legend(k: int, width: float) -> None:
    metrics, scores = results(k)
    labels = legend_labels(pareto_fronts.draw(metrics, scores, width=width))
    assert labels == [*(f"label of {name}" for name in SPREAD), "Optimum (enumerated)"]
    metrics["optimum"] = None
    assert "Optimum (enumerated)" not in legend_labels(pareto_fronts.draw(metrics, scores))
    distributions = reward_distributions.draw(metrics, scores, width=width)
    titles = {axes.get_title(loc="left") for axes in distributions.axes} - {""}
    assert titles == {"label of mo_odpo", "label of mi_epo"}
    assert {style.vector_label(w) for w in np.eye(k)} <= set(legend_labels(distributions))


@pytest.mark.parametrize("width", [style.COLUMN, style.PAGE])
@pytest.mark.parametrize("scale", [1.0, 0.1], ids=["spread out", "bunched"])
def test_labels_do_not_overlap(scale: float, width: float) -> None:
    spreads = {name: scale * spread for name, spread in SPREAD.items()}
    figure = pareto_fronts.draw(*results(spreads=spreads, sd=0.2, optimum=scale == 1), width=width)
    figure.set_dpi(200)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    shown = [Text.get_window_extent(text) for text in axes.texts]
    assert len(shown) >= 2 * len(SPREAD) - 1  # both ends of all but SFT, which has one label
    for one, other in itertools.combinations(shown, 2):
        assert not one.overlaps(other)
    frame = axes.get_window_extent().padded(1)
    assert all(frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1) for box in shown)


@pytest.mark.parametrize("draw", DRAWERS.values())
def test_small_print_says_n_and_warns_legibly(draw: Any) -> None:
    figure = draw(*results(seeds=1))
    note = figure.texts[-1].get_text().replace("\n", " ")
    assert "n = 30 prompts, 1 seed per run." in note
    if draw is pareto_fronts.draw:
        assert "Warning, label of sft: no visible effect of w, costs $5 or $6" in note
    figure.draw_without_rendering()
    for text in figure.findobj(Text):
        assert text.get_fontsize() >= 7
    box = figure.texts[-1].get_window_extent()
    assert box.x1 <= figure.bbox.x1 and box.y0 >= 0


def test_looks_are_fixed_distinct_and_blind_to_order() -> None:
    runs = {name: {"method": name} for name in style.METHODS}
    runs |= {f"variant_{i}": {"method": "mi_epo"} for i in range(6)}
    looks = style.looks(runs)
    assert looks["mi_epo"].colour == "#D55E00" and looks["mi_epo"].label == "MI-EPO"
    assert looks == style.looks(dict(reversed(runs.items())))
    assert len({(look.colour, look.marker, str(look.linestyle)) for look in looks.values()}) == 14
    assert looks["variant_0"].marker == looks["mi_epo"].marker


def test_vector_labels() -> None:
    assert style.vector_label([0.3, 0.7]) == ".3/.7"
    assert style.vector_label([1, 0.0]) == "1/0"
    assert style.vector_label([0.33, 0.33, 0.33]) == ".33/.33/.33"


def test_no_torch_is_imported() -> None:
    code = (
        "import sys; from moa.plots import pareto_fronts, reward_distributions, style; "
        "sys.exit(' '.join({'torch', 'transformers'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SCRIPTS), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert ran.stderr.strip() == ""
