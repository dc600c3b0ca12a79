"""Preference vectors w on the simplex, and the prompt builder G(x, w)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# The paper's appendix C, in its order. One row of the second table sums to 0.99; it is left so.
_EVALUATION_VECTORS = {
    2: [(i / 10, (10 - i) / 10) for i in range(11)],
    3: [
        (0.0, 0.0, 1.0),
        (0.0, 1.0, 0.0),
        (0.1, 0.1, 0.8),
        (0.1, 0.8, 0.1),
        (0.2, 0.2, 0.6),
        (0.2, 0.4, 0.4),
        (0.2, 0.6, 0.2),
        (0.33, 0.33, 0.33),
        (0.4, 0.2, 0.4),
        (0.4, 0.4, 0.2),
        (0.6, 0.2, 0.2),
        (0.8, 0.1, 0.1),
        (1.0, 0.0, 0.0),
    ],
}


def sample_weights(
    n: int, alpha: float, k: int, rng: np.random.Generator, decimals: int = 2
) -> np.ndarray:
    """Draw n preference vectors from Dirichlet(alpha * 1), rounded to what the prompt can say.

    Each row is rounded once to `decimals` by largest remainders, so that it still sums to 1 with
    those decimals; the same rounded vector belongs in the prompt and in the loss.

    Returns: (n, k) float64, rows on the simplex.
    Raises: ValueError if alpha <= 0, k < 1 or n < 0.
    """
    if not alpha > 0:
        raise ValueError(f"alpha is {alpha}: the Dirichlet concentration must be above 0")
    if k < 1 or n < 0:
        raise ValueError(f"n is {n} and k is {k}: n must be at least 0 and k at least 1")
    drawn = rng.dirichlet(np.full(k, float(alpha)), size=n)
    unit = 10**decimals
    scaled = drawn * unit
    counts = np.floor(scaled).astype(np.int64)
    missing = unit - counts.sum(axis=1)
    order = np.argsort(counts - scaled, axis=1, kind="stable")  # largest remainder first
    ranks = np.argsort(order, axis=1, kind="stable")
    counts += ranks < missing[:, None]
    return counts / unit


def evaluation_vectors(k: int) -> np.ndarray:
    """The paper's evaluation vectors (appendix C), in its order.

    Returns: (11, 2) or (13, 3) float64.
    Raises: ValueError for any other k; a config then has to list its own vectors.
    """
    if k not in _EVALUATION_VECTORS:
        raise ValueError(
            f"the paper gives evaluation vectors for 2 and 3 objectives, not {k}: "
            "list them under the task's evaluation_vectors"
        )
    return np.array(_EVALUATION_VECTORS[k], dtype=np.float64)


def uniform(k: int) -> list[float]:
    """Equal weights, for prompts that must not say what is wanted."""
    return [1 / k] * k


def build_prompt(x: str, objectives: Sequence[str], w: Sequence[float], decimals: int = 2) -> str:
    """G(x, w) = `Human: {x} helpfulness 0.30 harmlessness 0.70 Assistant:` (paper, section 3.5).

    x stands before w, so all conditions of one prompt share the prefix `Human: {x}`.

    Raises: ValueError if w and objectives differ in length.
    """
    if len(objectives) != len(w):
        raise ValueError(f"{len(w)} weights for {len(objectives)} objectives {list(objectives)}")
    block = " ".join(
        f"{name} {value:.{decimals}f}" for name, value in zip(objectives, w, strict=True)
    )
    return f"Human: {x} {block} Assistant:"
