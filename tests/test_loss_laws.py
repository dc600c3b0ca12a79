"""Laws of the losses, over random log-probabilities and rewards, ties among them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moa.losses import TIES
from support.loss_equations import (
    LOGPS,
    assert_matches,
    loss_reference,
    make_batch,
    make_tied_batch,
    mi_epo,
    scalarised,
)

BETA_C, BETA_W = st.floats(0.01, 2.0), st.floats(1e-3, 1.0)
PER_RESPONSE = (*LOGPS, "rewards")


@st.composite
def batches(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    make = draw(st.sampled_from([make_batch, make_tied_batch]))
    return make(draw(st.integers(0, 2**31)), draw(st.integers(1, 5)), draw(st.integers(1, 4)))


@given(batches(), BETA_C, BETA_W, st.sampled_from(TIES))
def test_mi_epo_is_equation_13(batch, beta_c, beta_w, ties):
    expected = loss_reference(batch, beta_c=beta_c, beta_w=beta_w, ties=ties)
    assert_matches(mi_epo(batch, beta_c, beta_w, ties), expected)


@given(batches(), BETA_C, st.sampled_from(TIES))
def test_without_exploration_it_is_mo_odpo_whatever_is_under_the_other_vector(batch, beta_c, ties):
    expected = loss_reference(batch, beta_c=beta_c, beta_w=0.0, ties=ties)
    assert_matches(mi_epo(batch, beta_c, 0.0, ties), expected)
    alone = batch | {"policy_logps_neg": None, "ref_logps_neg": None}
    assert_matches(mi_epo(alone, beta_c, 0.0, ties), expected)


@given(st.integers(0, 2**31), st.integers(1, 5), st.integers(1, 4), BETA_C, st.sampled_from(TIES))
def test_scalarised_labels_are_one_pair_per_prompt(seed, b, k, beta_c, ties):
    """Without ties: whether two sums of float32 are one is a matter of rounding."""
    batch = make_batch(seed, b, k)
    expected = loss_reference(batch, beta_c=beta_c, beta_w=0.0, ties=ties, scalarised=True)
    assert_matches(scalarised(batch, beta_c, ties), expected)


@given(batches(), BETA_C, BETA_W, st.sampled_from([t for t in TIES if t != "first"]))
def test_which_response_is_called_the_first_does_not_matter(batch, beta_c, beta_w, ties):
    swapped = batch | {name: batch[name].flip(1) for name in PER_RESPONSE}
    for loss, betas in ((mi_epo, (beta_c, beta_w)), (scalarised, (beta_c,))):
        one, other = loss(batch, *betas, ties=ties), loss(swapped, *betas, ties=ties)
        torch.testing.assert_close(one.alignment, other.alignment)
        torch.testing.assert_close(one.exploration, other.exploration)
        assert one.loss.item() == pytest.approx(other.loss.item(), rel=1e-5, abs=1e-6)
