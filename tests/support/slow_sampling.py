"""Sampling the slow way: one row, no cache, a full forward pass for every token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

EOS = 1
# Cached, batched and padded passes differ in their last bits: a uniform (or a nucleus) this close
# to an edge between two tokens could fall on either side, so the reference avoids such draws.
MARGIN = 1e-4


@dataclass(frozen=True)
class Drawing:
    """How tokens are drawn, which the slow loop and `generate` must agree on."""

    temperature: float = 1.0
    top_p: float = 1.0


def token_distribution(model, row: torch.Tensor, how: Drawing) -> np.ndarray:
    """Probabilities of the next token in vocabulary order, zero outside the nucleus."""
    with torch.no_grad():
        logits = model(input_ids=row[None]).logits[0, -1].double().numpy()
    scaled = logits / how.temperature
    p = np.exp(scaled - scaled.max())
    p /= p.sum()
    if how.top_p < 1:
        order = np.argsort(-p)
        mass = np.cumsum(p[order])
        assert np.abs(mass - how.top_p).min() > 1e-6, "choose another seed: nucleus on an edge"
        nucleus = order[: int(np.searchsorted(mass, how.top_p)) + 1]
        inside = np.zeros_like(p)
        inside[nucleus] = p[nucleus]
        p = inside / inside.sum()
    return p


def slow_sample(model, prompt, uniforms, how: Drawing, rng, eos: int = EOS) -> torch.Tensor:
    """Inverse-CDF sampling. Redraws, in place, every uniform too close to an edge."""
    row, new = prompt, []
    for t in range(len(uniforms)):
        edges = np.cumsum(token_distribution(model, row, how))
        while rng is not None and np.abs(edges - uniforms[t]).min() < MARGIN:
            uniforms[t] = rng.random()
        token = int(np.searchsorted(edges, uniforms[t], side="right"))
        new.append(token)
        row = torch.cat([row, torch.tensor([token])])
        if token == eos:
            break
    return torch.tensor(new)
