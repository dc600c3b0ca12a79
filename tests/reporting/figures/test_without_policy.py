"""Figures of runs whose responses come out of a file: what nothing tells is a dash, and no 0."""

from __future__ import annotations

from typing import Any

from moa.reporting.figures import style
from support.made_up_figures import draw_from, note, results, titles

GIVEN = {"given": 1.0, "theirs": 0.8}


def made_up(**spreads: float) -> dict[str, Any]:
    """Results in which runs of GIVEN have neither decodability nor KL."""
    metrics, _ = results(spreads=spreads, method=dict.fromkeys(GIVEN, "external"))
    unknown = dict.fromkeys(("decodability", "kl", "kl_per_token"))
    for name in GIVEN.keys() & metrics["runs"].keys():
        run = metrics["runs"][name]
        run |= {**unknown, "seeds": {s: {**of, **unknown} for s, of in run["seeds"].items()}}
    return metrics


def test_metrics_by_run_has_a_dash_where_nothing_is_told() -> None:
    figure = draw_from("metrics_by_run", made_up(mo_odpo=1.0, **GIVEN))
    dashes = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert dashes == [[], [], [], ["–", "–"]] and "Decodability in nats" in note(figure)


def test_metrics_by_run_leaves_out_what_no_run_tells() -> None:
    for width in (style.PAGE, style.COLUMN):
        figure = draw_from("metrics_by_run", made_up(**GIVEN), width)
        assert titles(figure) == ["HV ↑", "MIP ↑", "CRD ↓"] and "Decodability" not in note(figure)


def test_oracles_and_judges_names_what_it_cannot_place() -> None:
    figure = draw_from("oracles_and_judges", made_up(mo_odpo=1.0, **GIVEN))
    assert "Not drawn, since nothing tells their KL: label of given, label of theirs." in note(
        figure
    )
    assert "no run whose KL is known" in note(draw_from("oracles_and_judges", made_up(**GIVEN)))


def test_runs_of_no_known_method_are_told_apart() -> None:
    looks = style.looks(made_up(mo_odpo=1.0, **GIVEN)["runs"])
    assert [looks[name] for name in GIVEN] == [
        style.Look(f"label of {name}", base.colour, base.marker)
        for name, base in zip(GIVEN, style.OTHERS, strict=False)
    ]
    many = {f"run{i:02d}": {"method": "given", "label": ""} for i in range(2 * len(style.OTHERS))}
    found = {(look.colour, look.marker, look.face) for look in style.looks(many).values()}
    assert len(found) == len(many)


def test_a_run_of_no_known_method_has_a_look_of_its_own_whatever_its_name() -> None:
    names = sorted(["optimum", "sft", "mi_epo", "mo_odpo_scalarised"])
    looks = style.looks({name: {"method": "external", "label": name} for name in names})
    assert [(name, look.colour, look.marker) for name, look in looks.items()] == [
        (name, base.colour, base.marker) for name, base in zip(names, style.OTHERS, strict=False)
    ]


def test_a_footnote_says_which_of_many_runs_are_drawn() -> None:
    many = [f"run{i}" for i in range(4)]
    metrics, scores = results(
        spreads=dict.fromkeys(many, 1.0), method=dict.fromkeys(many, "external")
    )
    told = " ".join(note(draw_from("reward_distributions", metrics, scores=scores)).split())
    assert "Drawn: label of run0 and label of run1, the first of 4 runs." in told
    told = " ".join(note(draw_from("reward_overlap", metrics, scores=scores)).split())
    assert "Drawn: label of run0, the first of 4 runs." in told
    metrics, scores = results()
    assert "Drawn:" not in note(draw_from("reward_overlap", metrics, scores=scores))


def test_rewards_that_are_taken_as_they_are_are_not_called_normalised() -> None:
    metrics = made_up(**GIVEN)
    metrics["normalisation"]["of"] = None
    figure = draw_from("pareto_fronts", metrics)
    assert figure.axes[0].get_xlabel() == "helpfulness (reward)"
    assert draw_from("objective_best", metrics).axes[0].get_xlabel() == "reward"
