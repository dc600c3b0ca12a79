"""Every response of a prompt under every condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from moa.logprobs.exactness import tree_is_exact
from moa.logprobs.layout import Layout
from moa.logprobs.rows import completion_logprobs
from moa.logprobs.tree import tree_pass


def tree_logprobs(
    model: Any,
    prefixes: Sequence[torch.Tensor],
    conditions: Sequence[Sequence[torch.Tensor]],
    responses: Sequence[Sequence[torch.Tensor]],
) -> torch.Tensor:
    """log p(response r | prefix, condition c) for all c and r of each prompt: by the tree pass, or row by
    row where that would not be exact.

    prefixes: B 1-D id tensors. conditions: B lists of C non-empty 1-D id tensors. responses: B
    lists of R 1-D id tensors; an empty one gives 0.
    Returns: (B, C, R) float32; differentiable.
    Raises: ValueError if the lists do not fit together or a condition is empty.
    """
    n_b = len(prefixes)
    if n_b == 0 or len(conditions) != n_b or len(responses) != n_b:
        raise ValueError(
            f"{n_b} prefixes, {len(conditions)} lists of conditions and {len(responses)} of responses"
        )
    n_c, n_r = len(conditions[0]), len(responses[0])
    if n_c == 0 or n_r == 0:
        raise ValueError("tree_logprobs needs at least one condition and one response per prompt")
    if any(len(c) != n_c for c in conditions) or any(len(r) != n_r for r in responses):
        raise ValueError("every prompt needs the same number of conditions and of responses")
    if any(len(c) == 0 for row in conditions for c in row):
        raise ValueError("a condition is empty: its last token has to predict the response's first")
    len_p = max(len(p) for p in prefixes)
    len_c = max(len(c) for row in conditions for c in row)
    len_r = max(1, *(len(r) for row in responses for r in row))
    layout = Layout(len_p, n_c, len_c, n_r, len_r)
    if tree_is_exact(model, layout):
        return tree_pass(model, layout, prefixes, conditions, responses)
    contexts = [torch.cat([p, c]) for p, row in zip(prefixes, conditions, strict=True) for c in row]
    repeated = [context for context in contexts for _ in range(n_r)]
    scored = [response for row in responses for _ in range(n_c) for response in row]
    return completion_logprobs(model, repeated, scored).view(n_b, n_c, n_r)
