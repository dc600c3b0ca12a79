"""The loss of MI-EPO as settings choose it: which equation, and from which log-probabilities."""

import pytest
import torch

from moa.losses import mi_epo_loss, scalarised_dpo_loss
from moa.training.online_losses.mi_epo import loss
from moa.training.settings import OnlineStage


@pytest.fixture
def batch():
    """Log-probabilities (B, C, 2) of policy and reference, rewards (B, 2, K) and weights (B, K)."""
    generator = torch.Generator().manual_seed(0)
    logps = [torch.randn(3, 2, 2, generator=generator) for _ in range(2)]
    return *logps, torch.randn(3, 2, 2, generator=generator), torch.rand(3, 2, generator=generator)


def test_w_plus_is_the_first_condition_and_w_minus_the_second(batch):
    policy, ref, rewards, weights = batch
    settings = OnlineStage(beta_c=0.3, beta_w=0.2, ties="split", stop_gradient=False)
    expected = mi_epo_loss(
        *(policy[:, 0], ref[:, 0], policy[:, 1], ref[:, 1]),
        *(rewards, weights),
        beta_c=0.3,
        beta_w=0.2,
        ties="split",
        stop_gradient=False,
    )
    assert torch.equal(loss(*batch, settings).loss, expected.loss)


def test_without_exploration_one_condition_is_enough(batch):
    policy, ref, rewards, weights = batch
    output = loss(policy[:, :1], ref[:, :1], rewards, weights, OnlineStage(beta_w=0))
    assert not output.exploration.any() and output.alignment.all()
    with pytest.raises(ValueError, match="policy_logps_neg and ref_logps_neg are needed"):
        loss(policy[:, :1], ref[:, :1], rewards, weights, OnlineStage(beta_w=0.1))


def test_scalarised_labels_make_one_pair_of_the_weighted_reward(batch):
    policy, ref, rewards, weights = batch
    output = loss(*batch, OnlineStage(labels="scalarised", beta_w=0, beta_c=0.2))
    expected = scalarised_dpo_loss(policy[:, 0], ref[:, 0], rewards, weights, beta_c=0.2)
    assert torch.equal(output.loss, expected.loss)
