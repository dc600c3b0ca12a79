"""Where the losses send gradients, and where not."""

from __future__ import annotations

import pytest
import torch

from moa.losses import mi_epo_loss, scalarised_dpo_loss
from support.loss_equations import (
    BETA_C,
    BETA_W,
    LOGPS,
    as_float32,
    finite_difference,
    loss_reference,
    make_batch,
    make_tied_batch,
    scalarised,
)


@pytest.mark.parametrize("name", ["policy_logps", "policy_logps_neg"])
@pytest.mark.parametrize("ties", ["skip", "first", "split"])
def test_mi_epo_gradient_against_finite_differences(name, ties):
    batch = make_tied_batch(seed=11, b=4, k=2)
    batch["rewards"][:2] = torch.randn(2, 2, 2, generator=torch.Generator().manual_seed(1)).double()
    settings = {"beta_c": 0.2, "beta_w": 0.1, "ties": ties}
    given = as_float32(batch)
    given[name] = given[name].requires_grad_()
    mi_epo_loss(**given, **settings).loss.backward()
    expected = finite_difference(batch, name, **settings)
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(given[name].grad.double(), expected, rtol=1e-4, atol=1e-6)


def test_scalarised_gradient_against_finite_differences():
    batch = make_batch(seed=12, b=4, k=3)
    policy = batch["policy_logps"].float().requires_grad_()
    scalarised(dict(batch, policy_logps=policy)).loss.backward()
    expected = finite_difference(batch, "policy_logps", scalarised=True)
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(policy.grad.double(), expected, rtol=1e-4, atol=1e-6)


def test_exploration_sends_no_gradient_through_w_plus():
    given = as_float32(make_batch(seed=13, b=4, k=2))
    policy = given["policy_logps"].requires_grad_()
    negative = given["policy_logps_neg"].requires_grad_()
    output = mi_epo_loss(**given, beta_c=BETA_C, beta_w=BETA_W)
    through_plus, through_minus = torch.autograd.grad(
        output.exploration.sum(), (policy, negative), allow_unused=True, retain_graph=True
    )
    assert through_plus is None or not through_plus.any()
    assert (through_minus > 0).all(), "descent must lower the log-probs under w-"
    through_minus = torch.autograd.grad(output.alignment.sum(), negative, allow_unused=True)[0]
    assert through_minus is None or not through_minus.any()


def test_without_the_stop_gradient_exploration_raises_w_plus_as_it_lowers_w_minus() -> None:
    batch = make_batch(9, 3, 2)
    logps = {name: batch[name].float().requires_grad_() for name in LOGPS[::2]}
    out = mi_epo_loss(
        logps["policy_logps"],
        batch["ref_logps"],
        logps["policy_logps_neg"],
        batch["ref_logps_neg"],
        batch["rewards"],
        batch["weights"],
        beta_c=BETA_C,
        beta_w=BETA_W,
        stop_gradient=False,
    )
    out.exploration.mean().backward()
    plus, minus = logps["policy_logps"].grad, logps["policy_logps_neg"].grad
    assert plus is not None and minus is not None and (plus < 0).all()
    torch.testing.assert_close(plus, -minus)
    assert out.loss.item() == pytest.approx(loss_reference(batch)[0], rel=1e-5)


def test_gradient_never_reaches_the_reference():
    given = as_float32(make_batch(seed=14, b=4, k=2))
    for name in LOGPS:
        given[name].requires_grad_()
    mi_epo_loss(**given, beta_c=BETA_C, beta_w=BETA_W).loss.backward()
    names = ("policy_logps", "ref_logps", "rewards", "weights")
    scalarised_dpo_loss(**{name: given[name] for name in names}, beta_c=BETA_C).loss.backward()
    for name in ("ref_logps", "ref_logps_neg"):
        assert given[name].grad is None or not given[name].grad.any(), name
    for name in ("policy_logps", "policy_logps_neg"):
        assert given[name].grad.abs().min() > 0, name
