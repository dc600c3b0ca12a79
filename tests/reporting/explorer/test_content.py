"""What the explorer takes from scores and metrics, and what it refuses."""

import numpy as np
import pytest

from moa.reporting.explorer import content as module
from moa.reporting.explorer.content import UNKNOWN, content
from moa.runtime.errors import JobError
from support.made_up_responses import JUDGED, made_up


def cells(found):
    """(run, seed, vector, prompt) by cell, as the page counts them."""
    about = found.about
    return [
        (run["name"], seed, vector, prompt)
        for run in about["runs"]
        for seed in about["seeds"]
        for vector in range(len(run["vectors"]))
        for prompt in range(len(about["prompts"]))
    ]


def test_every_response_is_in_its_cell_whatever_the_order_of_rows():
    made = made_up()
    found = content(made.metrics, made.responses.sample(frac=1, random_state=0))
    assert [run["name"] for run in found.about["runs"]] == ["sft", "rlhf", "mo_odpo", "mi_epo"]
    places = cells(found)
    assert len(places) == len(made.responses) == len(found.text) == len(found.rewards[0])
    for i in range(0, len(places), 7):
        run, seed, vector, prompt = places[i]
        row = made.row(run, seed, vector, found.about["prompts"][prompt]["id"])
        assert found.texts[prompt][found.text[i]] == row.response
        assert found.tokens[i] == row.tokens and found.finished[i] == row.finished
        np.testing.assert_allclose(
            found.rewards[0][i], [row.norm_helpfulness, row.norm_harmlessness]
        )
    assert found.about["prompts"][2] == {"id": 12, "text": "prompt 2"}


def test_points_intervals_and_warnings_are_those_of_the_metrics():
    made = made_up(judges=True)
    by = content(made.metrics, made.responses, made.judged).about["by"]
    assert [view["name"] for view in by] == ["oracles", "judges"]
    run = made.metrics["runs"]["sft"]
    assert by[0]["runs"][0]["points_low"] == run["points_low"]
    assert by[0]["runs"][0]["seeds"] == [run["seeds"][s]["points"] for s in ("0", "1")]
    assert by[0]["runs"][0]["warnings"] == ["w has no visible effect"]
    np.testing.assert_allclose(by[1]["runs"][0]["points"], JUDGED * np.array(run["points"]))


def test_judges_reward_the_same_cells():
    made = made_up(judges=True)
    by_oracles, by_judges = content(made.metrics, made.responses, made.judged).rewards
    np.testing.assert_allclose(by_judges, JUDGED * by_oracles)


def test_of_many_prompts_some_are_shown_spread_evenly(monkeypatch):
    monkeypatch.setattr(module, "PROMPTS", 4)
    made = made_up(prompts=13)
    found = content(made.metrics, made.responses)
    assert [p["id"] for p in found.about["prompts"]] == [10, 14, 18, 22] and found.about["of"] == 13
    assert len(found.text) == len(cells(found)) and len(found.texts) == 4
    run, seed, vector, prompt = cells(found)[-1]
    assert found.texts[prompt][found.text[-1]] == made.row(run, seed, vector, 22).response


def test_length_may_be_unknown():
    made = made_up(k=3)
    bare = made.responses.drop(columns="finished").astype({"tokens": "Float64"})
    bare.loc[bare["run"] == "sft", "tokens"] = None
    found = content(made.metrics, bare)
    assert (found.finished == UNKNOWN).all()
    assert set(found.tokens) - {UNKNOWN} and (found.tokens[:10] == UNKNOWN).all()


def changed(rows, column, value):
    return rows.assign(**{column: rows[column].where(rows.index != 40, value)})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda rows: rows.drop(index=40), "some are missing, or there twice"),
        (lambda rows: changed(rows, "prompt_id", 11), "some are missing, or there twice"),
        (lambda rows: rows.assign(raw_helpfulness=rows.raw_helpfulness + 1), "normalised by other"),
        (lambda rows: changed(rows, "w_helpfulness", 0.123), "of other vectors"),
        (
            lambda rows: rows.assign(
                norm_helpfulness=rows.norm_helpfulness + 1,
                raw_helpfulness=rows.raw_helpfulness + 0.5,
            ),
            "other mean rewards",
        ),
    ],
)
def test_what_is_not_of_the_metrics_is_refused_with_its_run(wrong, message):
    made = made_up()
    with pytest.raises(JobError, match=f"^sft: .*{message}"):
        content(made.metrics, wrong(made.responses))


def test_judges_of_other_responses_are_refused():
    made = made_up(judges=True)
    other = made.judged.assign(response=made.judged["response"] + "!")
    with pytest.raises(JobError, match="judges scored other responses"):
        content(made.metrics, made.responses, other)
