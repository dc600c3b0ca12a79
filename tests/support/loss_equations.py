"""Equations 8-13 of the paper as plain loops in float64, and batches to hold the losses against them."""

from __future__ import annotations

import math

import pytest
import torch

from moa.losses import mi_epo_loss, scalarised_dpo_loss

BETA_C, BETA_W = 0.1, 0.01
LOGPS = ("policy_logps", "ref_logps", "policy_logps_neg", "ref_logps_neg")


def log_sigmoid(z: float) -> float:
    return -math.log1p(math.exp(-z)) if z >= 0 else z - math.log1p(math.exp(z))


def dpo_term(d: list[float], r: list[float], beta_c: float, ties: str) -> float:
    """Equation 8 for one pair and one reward; d[i] = log pi(y_i) - log pi_ref(y_i)."""
    first_wins = -log_sigmoid(beta_c * d[0] - beta_c * d[1])
    second_wins = -log_sigmoid(beta_c * d[1] - beta_c * d[0])
    if r[0] > r[1]:
        return first_wins
    if r[1] > r[0]:
        return second_wins
    return {"skip": 0.0, "first": first_wins, "split": (first_wins + second_wins) / 2}[ties]


def alignment_reference(batch: dict, beta_c: float, ties: str, scalarised: bool) -> list[float]:
    policy, ref = batch["policy_logps"].tolist(), batch["ref_logps"].tolist()
    rewards, weights = batch["rewards"].tolist(), batch["weights"].tolist()
    out = []
    for b, w in enumerate(weights):
        d = [policy[b][i] - ref[b][i] for i in range(2)]
        if scalarised:
            label = [sum(w[k] * rewards[b][i][k] for k in range(len(w))) for i in range(2)]
            out.append(dpo_term(d, label, beta_c, ties))
        else:
            terms = [dpo_term(d, [r[k] for r in rewards[b]], beta_c, ties) for k in range(len(w))]
            out.append(sum(w[k] * terms[k] for k in range(len(w))))
    return out


def exploration_reference(batch: dict, beta_w: float, anchor: torch.Tensor) -> list[float]:
    """Equation 12 over both responses; `anchor` holds the policy log-probs inside sg(...)."""
    out = []
    for b in range(len(anchor)):
        total = 0.0
        for i in range(2):
            under_plus = float(anchor[b, i]) - float(batch["ref_logps"][b, i])
            under_minus = float(batch["policy_logps_neg"][b, i] - batch["ref_logps_neg"][b, i])
            total += -log_sigmoid(beta_w * under_plus - beta_w * under_minus)
        out.append(total / 2)
    return out


def loss_reference(
    batch: dict,
    *,
    beta_c: float = BETA_C,
    beta_w: float = BETA_W,
    ties: str = "skip",
    anchor: torch.Tensor | None = None,
    scalarised: bool = False,
) -> tuple[float, list[float], list[float]]:
    """Loss, alignment and exploration of equation 13."""
    alignment = alignment_reference(batch, beta_c, ties, scalarised)
    exploration = [0.0] * len(alignment)
    if beta_w != 0 and not scalarised:
        frozen = batch["policy_logps"] if anchor is None else anchor
        exploration = exploration_reference(batch, beta_w, frozen)
    both = [a + e for a, e in zip(alignment, exploration, strict=True)]
    return sum(both) / len(both), alignment, exploration


def make_batch(seed: int, b: int, k: int, spread: float = 8.0) -> dict[str, torch.Tensor]:
    """Random log-probs around -40, as for short responses; no ties among the rewards."""
    generator = torch.Generator().manual_seed(seed)
    batch = {
        name: -40 + spread * torch.randn(b, 2, generator=generator, dtype=torch.float64)
        for name in LOGPS
    }
    batch["rewards"] = torch.randn(b, 2, k, generator=generator, dtype=torch.float64)
    weights = torch.rand(b, k, generator=generator, dtype=torch.float64)
    batch["weights"] = weights / weights.sum(1, keepdim=True)
    # The library works in float32: round once here, so that both sides see the same numbers.
    return {name: value.float().double() for name, value in batch.items()}


def make_tied_batch(seed: int, b: int, k: int) -> dict[str, torch.Tensor]:
    """Integer rewards from {0, 1}: about half of the objectives of each pair are ties."""
    batch = make_batch(seed, b, k)
    generator = torch.Generator().manual_seed(seed + 1)
    batch["rewards"] = torch.randint(0, 2, (b, 2, k), generator=generator).double()
    return batch


def as_float32(batch: dict) -> dict:
    return {name: None if value is None else value.float() for name, value in batch.items()}


def mi_epo(batch: dict, beta_c: float = BETA_C, beta_w: float = BETA_W, ties: str = "skip"):
    return mi_epo_loss(**as_float32(batch), beta_c=beta_c, beta_w=beta_w, ties=ties)


def scalarised(batch: dict, beta_c: float = BETA_C, ties: str = "skip"):
    names = ("policy_logps", "ref_logps", "rewards", "weights")
    inputs = as_float32({name: batch[name] for name in names})
    return scalarised_dpo_loss(**inputs, beta_c=beta_c, ties=ties)


def assert_matches(output, expected: tuple[float, list[float], list[float]]) -> None:
    loss, alignment, exploration = expected
    b = len(alignment)
    assert output.loss.shape == ()
    assert output.alignment.shape == (b,)
    assert output.exploration.shape == (b,)
    for got, want in ((output.alignment, alignment), (output.exploration, exploration)):
        want = torch.tensor(want, dtype=torch.float64)
        torch.testing.assert_close(got.double(), want, rtol=2e-6, atol=2e-6)
    assert output.loss.item() == pytest.approx(loss, rel=2e-6, abs=2e-6)


def finite_difference(batch: dict, name: str, **settings) -> torch.Tensor:
    """Central differences of the reference loss w.r.t. batch[name]; sg(...) stays frozen."""
    step = 1e-4
    anchor = batch["policy_logps"].clone()
    gradient = torch.zeros_like(batch[name])
    for b in range(gradient.shape[0]):
        for i in range(gradient.shape[1]):
            ends = []
            for sign in (1, -1):
                moved = dict(batch)
                moved[name] = batch[name].clone()
                moved[name][b, i] += sign * step
                ends.append(loss_reference(moved, anchor=anchor, **settings)[0])
            gradient[b, i] = (ends[0] - ends[1]) / (2 * step)
    return gradient


WRONG_SHAPES = [
    ("policy_logps", (4, 3)),
    ("policy_logps", (4,)),
    ("ref_logps", (5, 2)),
    ("ref_logps", (4, 2, 1)),
    ("policy_logps_neg", (4, 1)),
    ("ref_logps_neg", (3, 2)),
    ("rewards", (4, 2)),
    ("rewards", (4, 3, 2)),
    ("rewards", (1, 2, 2)),
    ("weights", (4, 3)),
    ("weights", (2,)),
    ("weights", (1, 2)),
]
