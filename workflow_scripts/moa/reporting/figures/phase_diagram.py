"""HV, MIP, CRD, decodability and KL against beta_c, and against beta_w / beta_c.

Left: beta_c from a policy that may go anywhere to one that is held, without the exploration term and with
it at the ratio that most runs have. Right: the ratio from 0 on, at the beta_c that most ratios were tried
at, which an upright line marks on the left. Bands are 95% bootstrap intervals over prompts, small dots
single seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from moa.reporting.figures import footnotes, style
from moa.reporting.figures.shown import collapsed, has_front

NEEDS = ()
MEASURES = {
    "hv": "HV ↑",
    "mip": "MIP ↑",
    "crd": "CRD ↓",
    "decodability": "Decodability ↑",
    "kl_per_token": "KL per token",
}
Runs = Mapping[str, Mapping[str, Any]]


@mpl.rc_context(style.RC)
def draw(metrics: Mapping[str, Any], *, width: float = style.PAGE) -> Figure:
    """The figure, `width` inches wide: of all runs that have a beta_c and a front."""
    runs = _compared(metrics)
    if not runs:
        return style.empty_figure(width, "No run has a beta_c.")
    beta_c, ratio = _centre(runs)
    without = _along(runs, "beta_c", {n: r for n, r in runs.items() if _ratio(r) == 0})
    with_term = _along(runs, "beta_c", {n: r for n, r in runs.items() if _ratio(r) == ratio})
    ratios = _along(runs, "ratio", {n: r for n, r in runs.items() if _beta_c(r) == beta_c})
    figure = style.new_figure(width, len(MEASURES) * 1.15)
    panels = figure.subplots(len(MEASURES), 2, sharex="col", sharey="row", squeeze=False)
    plain, with_it = metrics["compared"][:2]
    looks = [style.METHODS[plain], style.METHODS[with_it]]
    for (left, right), (measure, title) in zip(panels, MEASURES.items(), strict=True):
        left.set_ylabel(title)
        for look, line in zip(looks, (without, with_term), strict=True):
            _draw(left, runs, line, measure, look)
        left.axvline(beta_c, color=style.GREY, lw=0.8, ls=(0, (4, 2)), zorder=1)
        _draw(right, runs, ratios, measure, looks[1])
        optimum = (metrics.get("optimum") or {}).get(measure)
        for axes in (left, right):
            if optimum is not None and optimum < 2 * axes.get_ylim()[1]:
                axes.axhline(optimum, **style.OPTIMUM.line(zorder=1.2))
    low, high = panels[-1]
    low.set_xscale("log", base=2)
    values = sorted({_beta_c(runs[name]) for _, name in (*without, *with_term)})
    low.set_xticks(values, [f"{value:.2g}" for value in values])
    low.minorticks_off()
    low.set_xlim(values[0] / 1.3, values[-1] * 1.3)
    low.set_xlabel("beta_c, as trained")
    steps = [place for place, _ in ratios]
    high.set_xticks(steps, [f"{_ratio(runs[name]):.2g}" for _, name in ratios])
    high.set_xlim(steps[0] - 0.5, steps[-1] + 0.5)
    high.set_xlabel("beta_w / beta_c (even)")
    labels = metrics["labels"]
    handles = [
        style.handle(looks[0], label=labels[plain]),
        style.handle(looks[1], label=labels[with_it]),
    ]
    if metrics.get("optimum"):
        handles.append(style.handle(style.OPTIMUM))
    style.legend(figure, handles)
    drawn = [name for _, name in (*without, *with_term, *ratios)]
    footnotes.add(figure, _notes(metrics, runs, drawn, beta_c, ratio))
    return figure


def along_beta_c(metrics: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The names of the runs without the exploration term, and of those with it at the ratio that most have;
    from the largest beta_c to the smallest.
    """
    runs = _compared(metrics)
    if not runs:
        return [], []
    _, ratio = _centre(runs)
    lines = (
        _along(runs, "beta_c", {n: r for n, r in runs.items() if _ratio(r) == wanted})
        for wanted in (0, ratio)
    )
    without, with_term = ([name for _, name in reversed(line)] for line in lines)
    return without, with_term


def _compared(metrics: Mapping[str, Any]) -> Runs:
    """The runs of the two compared methods whose betas are those of a pair and its objectives."""
    return {
        name: run
        for name, run in metrics["runs"].items()
        if has_front(run) and run["nats_per_token"] and run["method"] in metrics["compared"][:2]
    }


def _beta_c(run: Mapping[str, Any]) -> float:
    return run["betas"]["beta_c"]


def _ratio(run: Mapping[str, Any]) -> float:
    return float(f"{run['betas'].get('beta_w', 0) / _beta_c(run):.6g}")


def _centre(runs: Runs) -> tuple[float, float]:
    """The beta_c at which most ratios were tried, and the ratio above 0 tried at most beta_c."""
    pairs = {(_beta_c(run), _ratio(run)) for run in runs.values()}
    beta_c = Counter(c for c, _ in sorted(pairs)).most_common(1)[0][0]
    ratios = Counter(r for _, r in sorted(pairs) if r > 0).most_common(1)
    return beta_c, ratios[0][0] if ratios else 0.0


def _along(all_runs: Runs, axis: str, chosen: Runs) -> list[tuple[float, str]]:
    """One run per value, in order: where it stands, and its name. Of equal ones, that named like its
    method.
    """
    value = _beta_c if axis == "beta_c" else _ratio
    first = sorted(chosen, key=lambda name: (name != chosen[name]["method"], name))
    by_value: dict[float, str] = {}
    for name in first:
        by_value.setdefault(value(chosen[name]), name)
    ordered = sorted(by_value.items())
    if axis == "ratio":
        return [(float(place), name) for place, (_, name) in enumerate(ordered)]
    return ordered


def _draw(
    axes: Axes,
    runs: Runs,
    line: Sequence[tuple[float, str]],
    measure: str,
    look: style.Look,
) -> None:
    found = [(x, runs[name]) for x, name in line if runs[name].get(measure)]
    if not found:
        return
    places = np.array([x for x, _ in found])
    means = np.array([run[measure]["mean"] for _, run in found])
    axes.plot(places, means, **look.line(zorder=3))
    bounds = [(run[measure]["low"], run[measure]["high"]) for _, run in found]
    if all(low is not None for low, _ in bounds):
        low, high = np.array(bounds, dtype=float).T
        axes.fill_between(places, low, high, color=look.colour, alpha=0.18, lw=0, zorder=2)
    for x, run in found:
        if collapsed(run):
            axes.plot(x, run[measure]["mean"], "x", color=style.INK, ms=7, mew=1.3, zorder=5)
        seeds = [seed.get(measure) for seed in run["seeds"].values()]
        if len(seeds) > 1:
            axes.plot([x] * len(seeds), seeds, ".", color=look.colour, ms=3, alpha=0.6, zorder=2.5)


def _notes(
    metrics: Mapping[str, Any], runs: Runs, drawn: Sequence[str], beta_c: float, ratio: float
) -> list[str]:
    text = footnotes.sample_size(metrics, list(runs))
    text += f" Left: beta_w / beta_c is 0 or {ratio:.3g}; right: beta_c is {beta_c:.3g}, where the upright"
    text += " line stands. Bands: 95% bootstrap intervals over prompts. Small dots: single seeds."
    text += " Decodability and KL in nats. (even): the values stand at even distances."
    if any(collapsed(run) for run in runs.values()):
        text += " Crossed out: collapsed runs, whose CRD is low because they always answer alike."
    if left := [name for name in runs if name not in drawn]:
        text += (
            f" Not drawn, since they stand where another run does or on no line: {', '.join(left)}."
        )
    return [text, *footnotes.warnings(metrics, style.looks(runs))]
