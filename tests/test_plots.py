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
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from moa.reporting.figures import clouds, exploration, footnotes, style
from moa.workflow.keys import constant

MEASURES = ("hv", "mip", "crd", "decodability")
FIGURES = (
    "pareto_fronts",
    "reward_distributions",
    "reward_overlap",
    "exploration",
    "front_3d",
    "objective_best",
    "beta_w_sweep",
    "metrics_by_run",
    "training_curves",
)
SCRIPTS = Path(style.__file__).parents[2]
VECTORS = {
    2: [[round(i / 10, 1), round(1 - i / 10, 1)] for i in range(11)],
    3: [[0, 0, 1], [0, 1, 0], [0.1, 0.1, 0.8], [0.33, 0.33, 0.33], [0.6, 0.2, 0.2], [1, 0, 0]],
}
SPREAD = {
    "sft": 0.0,
    "rlhf": 1.2,
    "rewarded_soups": 0.5,
    "ric": 0.7,
    "mo_odpo_scalarised": 0.9,
    "mo_odpo": 1.0,
    "mi_epo": 1.6,
}
BETA_W = {"mo_odpo": 0.0, "mo_odpo_scalarised": 0.0, "mi_epo": 0.01}
SWEEP = {"mo_odpo": 0.0, "mi_epo": 0.01, "mi_epo_strong": 0.03, "mi_epo_stronger": 0.1}


def results(
    k: int = 2,
    seeds: int = 2,
    prompts: int = 30,
    optimum: bool = True,
    spreads: dict[str, float] | None = None,
    method: dict[str, str] | None = None,
    sd: float = 0.5,
    grid: float = 0.0,
    beta_w: dict[str, float] | None = None,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Metrics and scores of runs whose points lie on arcs of a radius of their own."""
    rng = np.random.default_rng(0)
    objectives = ["helpfulness", "harmlessness", "humor"][:k]
    methods = {"mo_odpo_scalarised": "mo_odpo"} | (method or {})
    runs: dict[str, Any] = {}
    frames = []
    for name, spread in (spreads or SPREAD).items():
        expert = methods.get(name, name) == "rlhf"
        vectors = np.eye(k).tolist() if expert else VECTORS[k]
        rewards = np.empty((seeds, len(vectors), prompts, k))
        for (s, v), _ in np.ndenumerate(rewards[:, :, 0, 0]):
            w = np.array(vectors[v]) / np.linalg.norm(vectors[v])
            rewards[s, v] = spread * (w - 0.4) + rng.normal(0, sd, (prompts, k))
            if grid:
                rewards[s, v] = np.round(rewards[s, v] / grid) * grid
            norm = {f"norm_{o}": rewards[s, v, :, j] for j, o in enumerate(objectives)}
            weights = {f"w_{o}": vectors[v][j] for j, o in enumerate(objectives)}
            index = {"run": name, "seed": s, "vector": v, "prompt_id": range(prompts)}
            frames.append(pd.DataFrame({**norm, **weights, **index}))
        points, half = rewards.mean((0, 2)), 0.1 * sd
        value = {"mean": spread, "seed_std": 0.1 if seeds > 1 else None}
        bounds = {"low": spread - half, "high": spread + half}
        means = {} if expert else {key: {**value, **bounds} for key in ("hv", "mip", "crd")}
        if not expert:
            means["decodability"] = {**value, "low": None, "high": None}
        runs[name] = {
            "method": methods.get(name, name),
            "label": f"label of {name}",
            "beta_w": (beta_w or BETA_W).get(name),
            "vectors": vectors,
            "seeds": {
                str(s): {"points": rewards[s].mean(1).tolist(), **dict.fromkeys(MEASURES)}
                | {key: mean["mean"] + s / 10 for key, mean in means.items()}
                for s in range(seeds)
            },
            **dict.fromkeys(MEASURES),
            **means,
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
        | {"hv": 2.5, "mip": 2.0}
        if optimum
        else None,
    }
    return metrics, pd.concat(frames, ignore_index=True)


def training(metrics: dict[str, Any], steps: int = 12) -> pd.DataFrame:
    """Curves that rise from 0 to 1 (RLHF: to 2), a little apart for each seed."""
    objectives = metrics["objectives"]
    parts = {"sft": [], "rewarded_soups": [], "rlhf": objectives}
    parts |= {"ric": ["offline", "round1", "round2"]}
    rows: list[dict[str, Any]] = []
    for name, run in metrics["runs"].items():
        method = run["method"]
        for part, seed in itertools.product(parts.get(method, [""]), run["seeds"]):
            for step in range(1, steps + 1):
                progress, online = step / steps, method in ("mo_odpo", "mi_epo")
                height = progress * (2 if method == "rlhf" else 1) + 0.1 * int(seed)
                row = {"run": name, "seed": int(seed), "part": part, "step": step, "loss": 1.0}
                for objective in objectives:
                    sampled = part in ("", objective) or part.startswith("round")
                    row[f"norm_{objective}"] = height if sampled else np.nan
                row["loss_alignment"] = 1 - progress / 2 if online else np.nan
                row["loss_exploration"] = 0.69 if method == "mi_epo" else np.nan
                rows.append(row | {"progress": progress})
    columns = ["run", "seed", "part", "step", "progress", *(f"norm_{o}" for o in objectives)]
    return pd.DataFrame(rows, columns=[*columns, "loss", "loss_alignment", "loss_exploration"])


def explored(metrics: dict[str, Any], sd: float = 0.3, rows: int = 240) -> pd.DataFrame:
    """Responses whose rewards come to follow w in the last third of training."""
    rng = np.random.default_rng(1)
    objectives = metrics["objectives"]
    k = len(objectives)
    frames = []
    for name, run in metrics["runs"].items():
        if run["method"] not in ("mo_odpo", "mi_epo"):
            continue
        w = rng.dirichlet(np.full(k, 0.5), rows).round(2)
        progress = np.arange(1, rows + 1) / rows
        rewards = np.where(progress > 2 / 3, 4.0, 0.0)[:, None] * w + rng.normal(0, sd, (rows, k))
        columns = {f"w_{o}": w[:, j] for j, o in enumerate(objectives)}
        columns |= {f"norm_{o}": rewards[:, j] for j, o in enumerate(objectives)}
        frames.append(pd.DataFrame({"run": name, "seed": 0, "progress": progress, **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def draw_from(name: str, metrics: Any, width: float = style.PAGE, **tables: Any) -> Figure:
    module = import_module(f"moa.reporting.figures.{name}")
    return module.draw(metrics, **{key: tables[key] for key in module.NEEDS}, width=width)


def draw(name: str, width: float = style.PAGE, **case: Any) -> Figure:
    """A figure of made-up results, given what it says it needs."""
    metrics, scores = results(**{"k": objectives(name)} | case)
    seen = explored(metrics, sd=case.get("sd", 0.3))
    tables = {"scores": scores, "curves": training(metrics), "explored": seen}
    return draw_from(name, metrics, width, **tables)


def objectives(name: str) -> int:
    return constant(f"moa.reporting.figures.{name}", "OBJECTIVES", 2)


def legend_labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def note(figure: Figure) -> str:
    return figure.texts[-1].get_text().replace("\n", " ")


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


def test_distributions_survive_gaps_and_collinear_rewards() -> None:
    metrics, scores = results()
    scores["norm_harmlessness"] = 1 - scores["norm_helpfulness"]
    ours = scores["run"].isin(["mi_epo", "mo_odpo"])
    scores.loc[ours & (scores["vector"] == 0), "norm_helpfulness"] = np.nan
    scores.loc[ours & (scores["vector"] == 10), "norm_helpfulness"] = 0.25
    for name in ("reward_distributions", "reward_overlap"):
        draw_from(name, metrics, scores=scores).draw_without_rendering()
        draw_from(name, metrics, scores=scores.iloc[:0]).draw_without_rendering()


@pytest.mark.parametrize(("k", "width"), [(2, style.COLUMN), (2, style.PAGE), (3, style.PAGE)])
def test_all_runs_are_in_the_legend(k: int, width: float) -> None:
    labels = legend_labels(draw("pareto_fronts", width, k=k))
    assert labels == [*(f"label of {name}" for name in SPREAD), "Optimum (enumerated)"]
    assert "Optimum (enumerated)" not in legend_labels(draw("pareto_fronts", optimum=False))
    distributions = draw("reward_distributions", width, k=k)
    assert set(titles(distributions)) == {"label of mo_odpo", "label of mi_epo"}
    assert {style.vector_label(w) for w in np.eye(k)} <= set(legend_labels(distributions))


@pytest.mark.parametrize("width", [style.COLUMN, style.PAGE])
@pytest.mark.parametrize("scale", [1.0, 0.1], ids=["spread out", "bunched"])
def test_labels_do_not_overlap(scale: float, width: float) -> None:
    spreads = {name: scale * spread for name, spread in SPREAD.items()}
    figure = draw("pareto_fronts", width, spreads=spreads, sd=0.2, optimum=scale == 1)
    figure.set_dpi(200)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    shown = [Text.get_window_extent(text) for text in axes.texts]
    assert len(shown) >= 2 * len(SPREAD) - 1  # both ends of all but SFT, which has one label
    for one, other in itertools.combinations(shown, 2):
        assert not one.overlaps(other)
    frame = axes.get_window_extent().padded(1)
    assert all(frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1) for box in shown)


def test_experts_are_lone_markers() -> None:
    (axes,) = draw("pareto_fronts", seeds=1, spreads={"rlhf": 1.2, "mi_epo": 1.0}, sd=0.0).axes
    lines = [line for line in axes.lines if line.get_color() == style.METHODS["rlhf"].colour]
    assert [len(line.get_xdata()) for line in lines if line.get_linestyle() == "None"] == [2]
    assert not [line for line in lines if line.get_linestyle() != "None"]
    assert [text.get_text() for text in axes.texts].count("1/0") == 2  # MI-EPO's and the expert's


def test_the_run_shown_follows_preferences() -> None:
    spreads = {"rlhf": 1.0, "mine": 1.0, "mo_odpo": 1.0}
    figure = draw("reward_overlap", spreads=spreads, method={"mine": "mo_odpo"})
    assert titles(figure)[0] == "label of mo_odpo: rewards under each w"
    figure = draw("reward_overlap", spreads={"rlhf": 1.0, "ric": 1.0})
    assert titles(figure)[0] == "label of ric: rewards under each w"
    figure = draw("reward_distributions", spreads={"rlhf": 1.0, "ric": 1.0, "sft": 0.0})
    assert set(titles(figure)) == {"label of ric", "label of sft"}
    for name in ("reward_overlap", "reward_distributions"):
        assert "No run follows preference vectors" in note(draw(name, spreads={"rlhf": 1.0}))


def test_overlap_of_normals() -> None:
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(4000, 2))
    constant_rewards, nothing = np.ones((5, 2)), np.empty((0, 2))
    found = clouds.overlap([cloud, cloud + np.array([3, 0]), 2 * cloud, constant_rewards, nothing])
    assert np.diag(found)[:4] == pytest.approx(1)
    assert found[0, 1] == pytest.approx(np.exp(-9 / 8), rel=0.03)  # unit variances, 3 apart
    assert found[0, 2] == pytest.approx(0.8, rel=0.01)  # (2 * 1 * 2 / (1 + 4)) per dimension
    assert found[0, 3] < 0.05 and np.isnan(found[4]).all()
    assert (found[:4, :4] == found[:4, :4].T).all()
    assert clouds.mean_overlap(found[:1, :1]) != clouds.mean_overlap(found[:1, :1])  # no pair


def test_overlap_matrix_is_of_the_scores() -> None:
    metrics, scores = results(prompts=200, sd=0.5, spreads={"mo_odpo": 0.0})
    moved = scores["vector"] == 10
    scores.loc[moved, "norm_helpfulness"] += 50
    panel = draw_from("reward_overlap", metrics, scores=scores).axes[1]
    shown = panel.images[0].get_array()
    assert shown.shape == (11, 11) and shown[10, :10].max() < 0.01 and shown[9, :9].min() > 0.95
    assert np.isnan(np.ma.filled(shown, np.nan)[np.triu_indices(11)]).all()
    assert {text.get_text() for text in panel.texts if text.get_position()[1] == 10} == {"0"}


def test_preferences_are_sorted_into_conditions() -> None:
    w = [[x, 1 - x] for x in (0, 0.19, 0.2, 0.59, 0.6 - 1e-12, 0.8, 1)]
    assert exploration._condition(np.array(w)).tolist() == [0, 0, 1, 2, 3, 4, 4]
    three = np.array([[1, 0, 0], [0.1, 0.8, 0.1], [0, 0.2, 0.8], [0.4, 0.3, 0.3]])
    assert exploration._condition(three).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("width", [style.COLUMN, style.PAGE])
def test_exploration_shows_thirds_of_training_on_equal_axes(width: float) -> None:
    figure = draw("exploration", width)
    overlaps = {}
    for axes in figure.axes:
        which, overlap = axes.get_title(loc="left").rsplit("\noverlap ", 1)
        overlaps[which.replace("\n", " ")] = float(overlap)
        assert axes.get_xlim() == figure.axes[0].get_xlim()
        assert axes.get_ylim() == figure.axes[0].get_ylim()
    for method in ("mo_odpo", "mi_epo"):
        early, middle, late = (
            overlaps[f"label of {method}, {third}"] for third in exploration.THIRDS
        )
        assert min(early, middle) > 0.8 > 0.5 > late


def test_space_shows_fronts_only() -> None:
    figure = draw("front_3d")
    assert "label of rlhf" not in legend_labels(figure)
    assert legend_labels(figure)[-2:] == ["label of mi_epo", "Optimum (enumerated)"]
    for axes in figure.axes:
        ours = [line for line in axes.lines if line.get_color() == style.METHODS["mi_epo"].colour]
        (points,) = (line.get_data_3d() for line in ours)
        assert np.shape(points) == (3, len(VECTORS[3]))
        assert {"1/0/0", "0/0/1"} <= {text.get_text() for text in axes.texts}


@pytest.mark.parametrize("k", [2, 3])
def test_best_per_objective(k: int) -> None:
    metrics, _ = results(k)
    runs = metrics["runs"]
    # another expert that happens to be better counts for nothing
    runs["rlhf"]["points"][1][0] = runs["rlhf"]["points"][0][0] + 5
    figure = draw_from("objective_best", metrics)
    assert titles(figure) == metrics["objectives"]
    for j, axes in enumerate(figure.axes):
        for name, look in style.looks(runs).items():
            marks = [
                line.get_xdata()
                for line in axes.lines
                if line.get_color() == look.colour and line.get_marker() == look.marker
            ]
            points = np.array(runs[name]["points"])[:, j]
            assert marks == [[points[j] if name == "rlhf" else points.max()]]
        dashed = [x.get_xdata()[0] for x in axes.lines if x.get_color() == style.GREY]
        assert dashed == [max(point[j] for point in metrics["optimum"]["points"])]
    metrics["optimum"] = None
    assert legend_labels(draw_from("objective_best", metrics)) == ["label of rlhf, own objective"]


def test_sweep_shows_collapse() -> None:
    case = {"spreads": dict.fromkeys(SWEEP, 1.0) | {"sft": 0.0}, "beta_w": SWEEP}
    metrics, _ = results(method={name: "mi_epo" for name in SWEEP if "strong" in name}, **case)
    intact = draw_from("beta_w_sweep", metrics)
    assert titles(intact)[0] == "HV (↑ better)" and titles(intact)[2] == "CRD (↓ better)"
    assert "collapsed" not in legend_labels(intact) and not intact.axes[0].patches
    assert [t.get_text() for t in intact.axes[3].get_xticklabels()] == ["0", "0.01", "0.03", "0.1"]
    metrics["runs"]["mi_epo_stronger"]["warnings"] = ["collapsed: 97% are identical"]
    figure = draw_from("beta_w_sweep", metrics)
    assert "collapsed" in legend_labels(figure)
    assert "Warning, label of mi_epo_stronger: collapsed: 97% are identical" in note(figure)
    assert "label of sft" not in note(figure)
    for axes in figure.axes:
        (band,) = axes.patches
        assert band.get_x() < 3 < band.get_x() + band.get_width()
        assert [line.get_xdata() for line in axes.lines if line.get_marker() == "x"] == [[3]]
    dashed = [
        [line.get_ydata()[0] for line in axes.lines if line.get_color() == style.GREY]
        for axes in figure.axes
    ]
    assert dashed == [[2.5], [2.0], [], []]


def test_curves_are_means_over_seeds_of_what_was_sampled() -> None:
    metrics, _ = results(seeds=3)
    curves = training(metrics, steps=40)
    late = (curves["seed"] == 2) & (curves["progress"] > 0.5)
    curves = curves[~late]  # a seed that stopped early
    figure = draw_from("training_curves", metrics, curves=curves)
    assert titles(figure) == [*metrics["objectives"], "alignment loss", "exploration loss"]
    lines = {
        (i, name): [x for x in axes.lines if x.get_color() == style.METHODS[name].colour]
        for i, axes in enumerate(figure.axes)
        for name in ("rlhf", "ric", "mo_odpo", "mi_epo")
    }
    (ours,) = lines[0, "mi_epo"]
    assert ours.get_ydata()[[9, -1]] == pytest.approx([0.25 + 0.1, 1 + 0.05])
    (expert,) = lines[1, "rlhf"]
    assert expert.get_ydata()[-1] == pytest.approx(2 + 0.05)
    rounds = next(line for line in lines[0, "ric"] if line.get_marker() == "^")
    assert rounds.get_linestyle() == "None" and rounds.get_xdata() == pytest.approx([0.25, 0.75])
    assert [bool(lines[2, name]) for name in ("rlhf", "ric", "mo_odpo")] == [False, False, True]
    assert [bool(lines[3, name]) for name in ("mo_odpo", "mi_epo")] == [False, True]
    assert "label of sft" not in legend_labels(figure)


def test_looks_are_fixed_distinct_and_blind_to_order() -> None:
    runs = {name: {"method": name} for name in style.METHODS}
    runs |= {f"variant_{i}": {"method": "mi_epo"} for i in range(6)}
    looks = style.looks(runs)
    assert looks["mi_epo"].colour == "#D55E00" and looks["mi_epo"].label == "MI-EPO"
    for name in style.METHODS:
        assert looks[name] == style.METHODS[name] or name == "optimum"
    scalarised = style.looks({"mo_odpo_scalarised": {"method": "mo_odpo"}})
    assert scalarised["mo_odpo_scalarised"] == style.METHODS["mo_odpo_scalarised"]
    assert looks == style.looks(dict(reversed(runs.items())))
    assert len({(look.colour, look.marker, str(look.linestyle)) for look in looks.values()}) == 14
    assert looks["variant_0"].marker == looks["mi_epo"].marker


def test_a_settled_layout_forgets_the_last_digits() -> None:
    places = []
    for noise in (-1e-13, 1e-13):
        figure = Figure()
        figure.add_axes((0.125 + noise, 0.0078125 + noise, 0.5 - noise, 0.0000005 + noise))
        style.settle(figure)
        places.append(figure.axes[0].get_position().bounds)
    assert places[0] == places[1] == pytest.approx((0.125, 0.0078125, 0.5, 0), abs=1e-6)


@pytest.mark.parametrize("name", ["front_3d", "reward_overlap", "pareto_fronts"])
def test_a_settled_layout_stays_as_it_is(name: str) -> None:
    figure = draw(name)
    style.settle(figure)
    settled = [axes.get_window_extent().bounds for axes in figure.axes]
    figure.draw_without_rendering()
    assert [axes.get_window_extent().bounds for axes in figure.axes] == settled


def test_vector_labels() -> None:
    assert style.vector_label([0.3, 0.7]) == ".3/.7"
    assert style.vector_label([1, 0.0]) == "1/0"
    assert style.vector_label([0.33, 0.33, 0.33]) == ".33/.33/.33"


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
