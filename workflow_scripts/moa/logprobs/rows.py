"""The plain pass: a row of its own for everything that is scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from moa.logprobs.head import token_logprobs


def sequence_logprobs(
    model: Any,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    completion_mask: torch.Tensor,
) -> torch.Tensor:
    """Plain reference: sum of log p(token | all before it) over the completion tokens of each row.

    input_ids, attention_mask, completion_mask: (N, T); padding may stand left or right; the first
    attended token of a row cannot be a completion token, since nothing predicts it.
    Returns: (N,) float32.
    """
    scored = completion_mask[:, 1:].bool() & attention_mask[:, 1:].bool()
    columns = scored.any(dim=0).nonzero()[:, 0]
    if len(columns) == 0:
        columns = torch.zeros(1, dtype=torch.long, device=input_ids.device)
    positions = (attention_mask.long().cumsum(dim=1) - 1).clamp(min=0)
    inputs = {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "position_ids": positions,
        "logits_to_keep": columns,
    }
    scored = scored[:, columns]
    row, column = scored.nonzero(as_tuple=True)
    targets = input_ids[row, columns[column] + 1]
    logps = token_logprobs(model, inputs, (row, column), targets)
    return logps.new_zeros(scored.shape).index_put((row, column), logps).sum(dim=1)


def completion_logprobs(
    model: Any, contexts: Sequence[torch.Tensor], completions: Sequence[torch.Tensor]
) -> torch.Tensor:
    """log p(completion | context) of N pairs of 1-D id tensors: (N,) float32; an empty one gives 0."""
    device = next(model.parameters()).device
    width = max(len(a) + len(b) for a, b in zip(contexts, completions, strict=True))
    ids = torch.zeros(len(contexts), width, dtype=torch.long)
    attended, scored = ids.bool(), ids.bool()
    for n, (context, completion) in enumerate(zip(contexts, completions, strict=True)):
        # Padded left, so that the completions share their columns and few logits are computed.
        ids[n, width - len(context) - len(completion) :] = torch.cat([context, completion]).cpu()
        attended[n, width - len(context) - len(completion) :] = True
        scored[n, width - len(completion) :] = True
    return sequence_logprobs(model, ids.to(device), attended.long().to(device), scored.to(device))
