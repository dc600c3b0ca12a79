"""Log-probabilities the slow way: one unpadded row at a time; and gradients to compare."""

from __future__ import annotations

import torch
import torch.nn.functional as F

# Float32 sums of up to about 60 log-probs, each of a size of about 5 to 10.
CLOSE = {"rtol": 1e-5, "atol": 5e-4}


def one_row(model, context: torch.Tensor, completion: torch.Tensor) -> torch.Tensor:
    """log p(completion | context) from a full forward pass of that one row."""
    if len(completion) == 0:
        return torch.zeros(())
    row = torch.cat([context, completion])
    logits = model(input_ids=row[None]).logits[0]
    logps = F.log_softmax(logits[:-1], dim=-1)
    return logps.gather(1, row[1:, None])[len(context) - 1 :, 0].sum()


def loop_over_tree(model, prefixes, conditions, responses) -> torch.Tensor:
    """(B, C, R), one forward pass per entry."""
    return torch.stack(
        [
            torch.stack(
                [
                    torch.stack([one_row(model, torch.cat([p, c]), r) for r in responses[b]])
                    for c in conditions[b]
                ]
            )
            for b, p in enumerate(prefixes)
        ]
    )


def gradients(model, values: torch.Tensor) -> dict[str, torch.Tensor]:
    """Gradients of a fixed random combination of `values` w.r.t. every trainable parameter."""
    generator = torch.Generator().manual_seed(99)
    coefficients = torch.randn(values.shape, generator=generator)
    names, parameters = zip(
        *[(n, p) for n, p in model.named_parameters() if p.requires_grad], strict=True
    )
    found = torch.autograd.grad((coefficients * values).sum(), parameters, allow_unused=True)
    return {
        name: torch.zeros_like(p) if g is None else g
        for name, p, g in zip(names, parameters, found, strict=True)
    }


def assert_same_gradients(got: dict, want: dict) -> None:
    assert got.keys() == want.keys()
    assert any(g.abs().max() > 1e-2 for g in want.values())
    for name, expected in want.items():
        scale = max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(
            got[name], expected, rtol=1e-3, atol=1e-4 * scale, msg=lambda m, n=name: f"{n}: {m}"
        )
