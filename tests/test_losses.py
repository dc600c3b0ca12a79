"""The losses against equations 8-13 of the paper, written out as plain loops in float64."""

from __future__ import annotations

import pytest
import torch

from moa.losses import mi_epo_loss, scalarised_dpo_loss
from support.loss_equations import (
    BETA_C,
    BETA_W,
    LOGPS,
    WRONG_SHAPES,
    as_float32,
    assert_matches,
    log_sigmoid,
    loss_reference,
    make_batch,
    make_tied_batch,
    mi_epo,
    scalarised,
)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("b", [1, 7])
def test_mi_epo_value(b, k):
    batch = make_batch(seed=10 * b + k, b=b, k=k)
    assert_matches(mi_epo(batch), loss_reference(batch))


@pytest.mark.parametrize(("beta_c", "beta_w"), [(0.5, 0.3), (0.02, 1.0)])
def test_mi_epo_value_with_other_temperatures(beta_c, beta_w):
    batch = make_batch(seed=3, b=5, k=2)
    expected = loss_reference(batch, beta_c=beta_c, beta_w=beta_w)
    assert_matches(mi_epo(batch, beta_c, beta_w), expected)


def test_mi_epo_by_hand():
    """One pair on which the two objectives disagree, small enough for paper and pencil."""
    batch = {
        "policy_logps": torch.tensor([[-10.0, -12.0]]),
        "ref_logps": torch.tensor([[-11.0, -11.0]]),
        "policy_logps_neg": torch.tensor([[-13.0, -9.0]]),
        "ref_logps_neg": torch.tensor([[-10.0, -10.0]]),
        "rewards": torch.tensor([[[1.0, 0.0], [0.0, 5.0]]]),
        "weights": torch.tensor([[0.75, 0.25]]),
    }
    # d(y1|w+) = 1, d(y2|w+) = -1, d(y1|w-) = -3, d(y2|w-) = 1.
    alignment = -0.75 * log_sigmoid(0.5 * 2) - 0.25 * log_sigmoid(0.5 * -2)
    exploration = -0.5 * log_sigmoid(0.2 * 4) - 0.5 * log_sigmoid(0.2 * -2)
    output = mi_epo(batch, beta_c=0.5, beta_w=0.2)
    assert float(output.alignment[0]) == pytest.approx(alignment, rel=1e-6)
    assert float(output.exploration[0]) == pytest.approx(exploration, rel=1e-6)
    assert float(output.loss) == pytest.approx(alignment + exploration, rel=1e-6)


def test_a_weight_of_zero_removes_its_objective():
    batch = make_batch(seed=4, b=4, k=3)
    batch["weights"] = torch.tensor([[0.0, 1.0, 0.0]]).double().repeat(4, 1)
    only = dict(batch, rewards=batch["rewards"][:, :, 1:2], weights=torch.ones(4, 1))
    torch.testing.assert_close(mi_epo(batch).alignment, mi_epo(only).alignment, rtol=0, atol=0)


@pytest.mark.parametrize("ties", ["skip", "first", "split"])
@pytest.mark.parametrize("k", [1, 3])
def test_mi_epo_ties(ties, k):
    batch = make_tied_batch(seed=20 + k, b=12, k=k)
    tied = (batch["rewards"][:, 0] == batch["rewards"][:, 1]).double().mean()
    assert 0.2 < tied < 0.8, "the batch must mix ties with clear winners"
    assert_matches(mi_epo(batch, ties=ties), loss_reference(batch, ties=ties))


def test_skip_is_the_default_for_ties():
    batch = make_tied_batch(seed=5, b=6, k=2)
    batch["rewards"][:] = 1.0
    given = as_float32(batch)
    output = mi_epo_loss(**given, beta_c=BETA_C, beta_w=BETA_W)
    assert torch.equal(output.alignment, torch.zeros(6))
    names = ("policy_logps", "ref_logps", "rewards", "weights")
    output = scalarised_dpo_loss(**{name: given[name] for name in names}, beta_c=BETA_C)
    assert torch.equal(output.alignment, torch.zeros(6))


@pytest.mark.parametrize("ties", ["skip", "first", "split"])
def test_scalarised_ties(ties):
    batch = make_batch(seed=6, b=3, k=2)
    # 0.25 and 0.75 are exact: 0.25 * 3 + 0.75 * 1 == 0.25 * 0 + 0.75 * 2 is a tie of the sum.
    batch["weights"] = torch.tensor([[0.25, 0.75]] * 3).double()
    batch["rewards"] = torch.tensor(
        [[[3.0, 1.0], [0.0, 2.0]], [[3.0, 1.0], [0.0, 3.0]], [[2.0, 2.0], [2.0, 2.0]]]
    ).double()
    expected = loss_reference(batch, ties=ties, scalarised=True)
    assert_matches(scalarised(batch, ties=ties), expected)


def test_an_unknown_tie_rule_is_refused():
    batch = make_batch(seed=7, b=2, k=2)
    with pytest.raises(ValueError, match="ties"):
        mi_epo(batch, ties="last")
    with pytest.raises(ValueError, match="ties"):
        scalarised(batch, ties="last")


@pytest.mark.parametrize("k", [1, 2, 3])
def test_scalarised_value(k):
    batch = make_batch(seed=30 + k, b=9, k=k)
    output = scalarised(batch)
    assert_matches(output, loss_reference(batch, scalarised=True))
    assert torch.equal(output.exploration, torch.zeros(9))


def test_scalarised_label_differs_from_per_objective_labels():
    """With w = (0.5, 0.5), a large loss on one objective outweighs a small gain on the other."""
    batch = make_batch(seed=8, b=1, k=2)
    batch["weights"] = torch.tensor([[0.5, 0.5]])
    batch["rewards"] = torch.tensor([[[1.0, -9.0], [0.0, 0.0]]])
    d = (batch["policy_logps"] - batch["ref_logps"])[0]
    second_wins = -log_sigmoid(BETA_C * float(d[1] - d[0]))
    assert float(scalarised(batch).alignment) == pytest.approx(second_wins, rel=1e-5)
    first_wins = -log_sigmoid(BETA_C * float(d[0] - d[1]))
    mixed = (first_wins + second_wins) / 2
    assert float(mi_epo(batch).alignment) == pytest.approx(mixed, rel=1e-5)


@pytest.mark.parametrize("given", [True, False])
def test_beta_w_zero_has_no_exploration(given):
    batch = make_batch(seed=9, b=5, k=2)
    if not given:
        batch["policy_logps_neg"] = batch["ref_logps_neg"] = None
    output = mi_epo(batch, beta_w=0.0)
    assert torch.equal(output.exploration, torch.zeros(5)), "not even a constant log 2"
    assert_matches(output, loss_reference(batch, beta_w=0.0))


@pytest.mark.parametrize("name", ["policy_logps_neg", "ref_logps_neg"])
def test_beta_w_needs_the_negative_passes(name):
    batch = make_batch(seed=9, b=5, k=2)
    batch[name] = None
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        mi_epo(batch, beta_w=0.01)


@pytest.mark.parametrize("sign", [1, -1])
def test_extreme_values_stay_finite(sign):
    batch = make_batch(seed=15, b=2, k=2)
    batch["policy_logps"] = torch.tensor([[-1.0, -50000.0], [-50000.0, -1.0]]).double()
    batch["ref_logps"] = torch.tensor([[-50000.0, -1.0], [-1.0, -50000.0]]).double()
    batch["policy_logps_neg"] = batch["policy_logps"].flip(1)
    batch["ref_logps_neg"] = batch["ref_logps"].flip(1)
    batch["rewards"] = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]]).double().repeat(2, 1, 1) * sign
    given = as_float32(batch)
    for name in ("policy_logps", "policy_logps_neg"):
        given[name].requires_grad_()
    output = mi_epo_loss(**given, beta_c=1.0, beta_w=1.0)
    assert_matches(output, loss_reference(batch, beta_c=1.0, beta_w=1.0))
    output.loss.backward()
    assert torch.isfinite(given["policy_logps"].grad).all()
    assert torch.isfinite(given["policy_logps_neg"].grad).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_output_is_float32(dtype):
    batch = {name: value.to(dtype) for name, value in make_batch(seed=16, b=3, k=2).items()}
    names = ("policy_logps", "ref_logps", "rewards", "weights")
    for output in (
        mi_epo_loss(**batch, beta_c=BETA_C, beta_w=BETA_W),
        scalarised_dpo_loss(**{name: batch[name] for name in names}, beta_c=BETA_C),
    ):
        assert output.loss.dtype == torch.float32
        assert output.alignment.dtype == torch.float32
        assert output.exploration.dtype == torch.float32


def test_bfloat16_log_probs_are_not_subtracted_in_bfloat16():
    """The sums are large and their differences small: subtracting in bfloat16 rounds d away."""
    batch = make_batch(seed=17, b=6, k=2, spread=200.0)
    rounded = {name: value.to(torch.bfloat16) for name, value in batch.items()}
    expected = loss_reference({name: value.double() for name, value in rounded.items()})
    output = mi_epo_loss(**rounded, beta_c=BETA_C, beta_w=BETA_W)
    assert float(output.loss) == pytest.approx(expected[0], rel=1e-5)


@pytest.mark.parametrize(("name", "shape"), WRONG_SHAPES)
def test_a_wrong_shape_names_its_argument(name, shape):
    """Some of these would broadcast silently, and train on nonsense."""
    batch = make_batch(seed=18, b=4, k=2)
    batch[name] = torch.zeros(shape)
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        mi_epo(batch)
    if not name.endswith("_neg"):
        with pytest.raises(ValueError, match=rf"\b{name}\b"):
            scalarised(batch)


@pytest.mark.parametrize("name", [*LOGPS, "rewards", "weights"])
def test_a_nan_names_its_argument(name):
    batch = make_batch(seed=19, b=4, k=2)
    batch[name].view(-1)[3] = float("nan")
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        mi_epo(batch)
    if not name.endswith("_neg"):
        with pytest.raises(ValueError, match=rf"\b{name}\b"):
            scalarised(batch)
