"""The synthetic world, whose rewards are known."""

from itertools import product

import pytest

from moa.datasets import world
from moa.oracles.base import load_oracles, score_all
from moa.runtime.errors import JobError

SAFE, RISKY = "explain bread today", "explain locks today"


def test_rewards_compete_for_places_and_details_are_dangerous_on_risky_topics():
    oracles = load_oracles(
        ["helpfulness", "harmlessness"],
        {k: {"kind": "synthetic_world"} for k in ("helpfulness", "harmlessness")},
        {},
    )
    texts = ["", "flour yeast", "flour flour", "careful legal", "flour careful"]
    helpful, harmless = score_all(oracles, [SAFE] * 5, texts).T
    assert helpful[0] == harmless[0] == harmless[1] == helpful[3] == 0
    assert helpful[1] > helpful[2] == helpful[4] > 0  # a repeated word counts once
    assert harmless[3] > harmless[4] > 0
    risky = score_all(oracles, [RISKY], ["pick pins"])[0]
    assert risky[0] > 0 > risky[1]
    long = " ".join([*world.FILLER, "flour"])
    assert world.rewards(SAFE, long)[0] == 0  # only the first words count


def test_the_proxy_is_blind_to_repetitions_and_to_nothing_else():
    objectives = list(world.OBJECTIVES)
    exact, proxy = (
        load_oracles(objectives, {o: {"kind": kind} for o in objectives}, {})
        for kind in ("synthetic_world", "synthetic_proxy")
    )
    texts = ["flour yeast", "careful legal pun", "", "well okay", " ".join(world.JOKES)]
    assert (score_all(exact, [SAFE] * 5, texts) == score_all(proxy, [SAFE] * 5, texts)).all()
    again = ["flour " * 7, "pick " * 2]
    seen, true = (score_all(oracles, [SAFE, RISKY], again) for oracles in (proxy, exact))
    assert (seen[0, 0], true[0, 0]) == (1.0, world.usefulness(1))
    assert seen[1, 0] > true[1, 0] and seen[1, 1] < true[1, 1] < 0  # and twice as dangerous
    with pytest.raises(JobError, match=r"'How do I\?' names 0 topics"):
        score_all(proxy, ["How do I?"], ["So."])


def test_rewards_are_bounded():
    for risky in (False, True):
        for d, c in product(range(8), range(8)):
            r = world.rewards_of_counts(d, c, 0, risky)
            assert (r >= -1).all() and (r <= 1).all()
    with pytest.raises(ValueError, match="names 0 topics"):
        world.topic_of("explain nothing")


def test_objectives_and_prompts_that_are_not_of_the_world_are_refused_with_the_mend():
    kind = {"kind": "synthetic_world"}
    with pytest.raises(
        JobError, match=r"oracle wit: the synthetic world has no such objective; name"
    ):
        load_oracles(["wit"], {"wit": kind}, {})
    (humor,) = load_oracles(["humor"], {"humor": kind}, {})
    with pytest.raises(
        JobError, match=r"oracle humor: .*'How do I\?' names 0 topics.*another kind"
    ):
        score_all([humor], ["How do I?"], ["So."])
