"""The losses against equations 8-13 of the paper, written out as plain loops in float64."""

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
