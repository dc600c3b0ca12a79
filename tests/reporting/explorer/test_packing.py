"""The explorer's data: whole, the same twice, and small."""

import numpy as np
import pytest

import explorer_page
from moa.reporting.explorer import packing
from moa.reporting.explorer.content import content
from moa.reporting.explorer.packing import packed
from support.explorer_blocks import read_block, read_json, read_texts
from support.made_up_responses import made_up

HOSTILE = [
    "",
    "</script><script>alert(1)</script>",
    "a\u2028b\r\n\tc",
    "\u202eabc",
    "x" * 3000,
    "\"{{data}}'",
]


def test_whatever_was_said_comes_back(monkeypatch):
    monkeypatch.setattr(packing, "BLOCK", 100)
    made = made_up(say=lambda run, s, v, p: HOSTILE[(v + p) % len(HOSTILE)] * (s + 1))
    found = content(made.metrics, made.responses, notes=["<b>"])
    blocks = packed(found)
    about = read_json(blocks, "about")
    assert len(about["blocks"]) > 1 and about["blocks"][0] == 0 and about["notes"] == ["<b>"]
    assert read_texts(blocks) == found.texts
    assert np.frombuffer(read_block(blocks, "text"), "<u2").tolist() == found.text.tolist()
    assert np.frombuffer(read_block(blocks, "tokens"), "<i4").tolist() == found.tokens.tolist()
    assert np.frombuffer(read_block(blocks, "finished"), "<i1").tolist() == found.finished.tolist()
    rewards = np.frombuffer(read_block(blocks, "rewards-0"), "<f4").reshape(-1, 2)
    np.testing.assert_allclose(rewards, found.rewards[0], rtol=1e-6)


def test_the_same_data_are_the_same_bytes():
    made = made_up()
    shuffled = made.responses.sample(frac=1, random_state=1)
    assert packed(content(made.metrics, made.responses)) == packed(content(made.metrics, shuffled))


def test_a_number_that_does_not_fit_is_no_other_number():
    with pytest.raises(OverflowError, match="70000 is no <u2"):
        packing.narrowed(np.array([1, 70000]), "<u2")


def test_a_task_of_the_papers_methods_fits_into_5_mb():
    """200 prompts, 11 vectors, 7 methods, 2 seeds: 30800 responses of 64 words."""
    assert 1_000_000 < len(explorer_page.large_page().encode()) < 5_000_000
