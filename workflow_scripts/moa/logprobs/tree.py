"""The shared-prefix "tree" pass: all that is scored of one prompt in a single row.

The row is laid out as

    prefix | condition 1 | y1 | y2 | ... | condition 2 | y1 | y2 | ...

with a mask in which a response sees the prefix, its own condition and itself. The prefix is thus
computed once instead of C x R times, and each condition once instead of R times. Segments are
padded to common columns, so logits are computed only at columns that predict a response token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from moa.logprobs.head import token_logprobs
from moa.logprobs.layout import Layout


def tree_pass(
    model: Any,
    layout: Layout,
    prefixes: Sequence[torch.Tensor],
    conditions: Sequence[Sequence[torch.Tensor]],
    responses: Sequence[Sequence[torch.Tensor]],
) -> torch.Tensor:
    """`tree_logprobs` in one pass, for a model that can be asked so: (B, C, R) float32."""
    n_b = len(prefixes)
    device = next(model.parameters()).device
    ids = torch.full((n_b, layout.width), -1)  # where nothing stands
    targets = torch.zeros(n_b, layout.n_r, layout.len_r, dtype=torch.long)
    lengths = torch.tensor([[len(response) for response in row] for row in responses])

    def put(row: int, end: int, tokens: torch.Tensor) -> None:
        ids[row, end - len(tokens) : end] = tokens

    for b in range(n_b):
        put(b, layout.len_p, prefixes[b])
        for r, response in enumerate(responses[b]):
            targets[b, r, : len(response)] = response
        for c, condition in enumerate(conditions[b]):
            put(b, layout.condition_end(c), condition)
            for r, response in enumerate(responses[b]):
                read = response[:-1]
                put(b, layout.response_start(c, r) + len(read), read)

    allowed = layout.visible()[None] & (ids >= 0)[:, None, :]
    positions = (allowed.sum(dim=2) - 1).clamp(min=0)  # a token comes after all that it sees
    allowed |= torch.eye(layout.width, dtype=torch.bool)  # padding sees itself: no empty softmax
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    mask = torch.zeros(n_b, 1, layout.width, layout.width, dtype=dtype)
    mask.masked_fill_(~allowed[:, None], torch.finfo(dtype).min)

    columns, source = layout.predicting()
    inputs = {
        "input_ids": ids.clamp(min=0).to(device),
        "attention_mask": mask.to(device),
        "position_ids": positions.to(device),
        "logits_to_keep": columns.to(device),
    }
    there = (torch.arange(layout.len_r) < lengths[:, :, None])[:, None]
    there = there.expand(-1, layout.n_c, -1, -1).to(device)
    scored = there.nonzero(as_tuple=True)  # prompt, condition, response, token
    tokens = targets.to(device)[scored[0], scored[2], scored[3]]
    logps = token_logprobs(model, inputs, (scored[0], source.to(device)[scored[1:]]), tokens)
    table = logps.new_zeros(n_b, layout.n_c, layout.n_r, layout.len_r)
    return table.index_put(scored, logps).sum(dim=3)
