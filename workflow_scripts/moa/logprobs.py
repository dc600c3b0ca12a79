"""Summed log-probabilities of responses: the plain pass, and the shared-prefix "tree" pass.

The tree pass lays one prompt out as a single row,

    prefix | condition 1 | y1 | y2 | ... | condition 2 | y1 | y2 | ...

with a mask in which a response sees the prefix, its own condition and itself. The prefix is thus
computed once instead of C x R times, and each condition once instead of R times. Segments are
padded to common columns, so logits are computed only at columns that predict a response token.
Both go through the model's own forward, so adapters, `disable_adapter()` and wrappers apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


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
    logits = model(
        input_ids=input_ids,
        attention_mask=attention_mask,
        position_ids=positions,
        use_cache=False,
        logits_to_keep=columns,
    ).logits.float()
    targets = input_ids[:, 1:][:, columns]
    logps = logits.gather(2, targets[:, :, None])[:, :, 0] - logits.logsumexp(dim=2)
    return torch.where(scored[:, columns], logps, 0.0).sum(dim=1)


def tree_logprobs(
    model: Any,
    prefixes: Sequence[torch.Tensor],
    conditions: Sequence[Sequence[torch.Tensor]],
    responses: Sequence[Sequence[torch.Tensor]],
) -> torch.Tensor:
    """log p(response r | prefix, condition c) for all c and r of each prompt, in one pass.

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
    device = next(model.parameters()).device
    len_p = max(len(p) for p in prefixes)
    len_c = max(len(c) for row in conditions for c in row)
    len_r = max(1, *(len(r) for row in responses for r in row))
    layout = _Layout(len_p, n_c, len_c, n_r, len_r)

    ids = torch.zeros(n_b, layout.width, dtype=torch.long)
    valid = torch.zeros(n_b, layout.width, dtype=torch.bool)
    positions = torch.zeros(n_b, layout.width, dtype=torch.long)

    def put(row: int, end: int, tokens: torch.Tensor, first_position: int) -> None:
        span = slice(end - len(tokens), end)
        ids[row, span] = tokens.cpu()
        valid[row, span] = True
        positions[row, span] = torch.arange(first_position, first_position + len(tokens))

    for b in range(n_b):
        start = len(prefixes[b])
        put(b, len_p, prefixes[b], 0)
        for c, condition in enumerate(conditions[b]):
            put(b, layout.condition_end(c), condition, start)
            for r, response in enumerate(responses[b]):
                end = layout.response_start(c, r) + len(response)
                put(b, end, response, start + len(condition))

    allowed = layout.visible()[None] & valid[:, None, :]
    allowed |= torch.eye(layout.width, dtype=torch.bool)  # padding sees itself: no empty softmax
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    mask = torch.zeros(n_b, 1, layout.width, layout.width, dtype=dtype)
    mask.masked_fill_(~allowed[:, None], torch.finfo(dtype).min)

    columns, source = layout.predicting()
    logits = model(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        position_ids=positions.to(device),
        use_cache=False,
        logits_to_keep=columns.to(device),
    ).logits.float()
    spans = layout.response_columns()
    targets, scored = ids[:, spans].to(device), valid[:, spans].to(device)
    source = source.to(device)
    rows = torch.arange(n_b, device=device)[:, None, None, None]
    logps = logits[rows, source[None], targets] - logits.logsumexp(dim=2)[:, source]
    return torch.where(scored, logps, 0.0).sum(dim=3)


class _Layout:
    """Columns of a tree row: a prefix ending at len_p, then C blocks of condition + R responses.

    Prefixes and conditions end at common columns (padded left), responses start at common columns
    (padded right).
    """

    def __init__(self, len_p: int, n_c: int, len_c: int, n_r: int, len_r: int) -> None:
        self.len_p, self.n_c, self.len_c, self.n_r, self.len_r = len_p, n_c, len_c, n_r, len_r
        self.block = len_c + n_r * len_r
        self.width = len_p + n_c * self.block

    def condition_end(self, c: int) -> int:
        return self.len_p + c * self.block + self.len_c

    def response_start(self, c: int, r: int) -> int:
        return self.condition_end(c) + r * self.len_r

    def response_columns(self) -> torch.Tensor:
        """(C, R, len_r) columns of the response tokens."""
        starts = [[self.response_start(c, r) for r in range(self.n_r)] for c in range(self.n_c)]
        return torch.tensor(starts)[:, :, None] + torch.arange(self.len_r)

    def predicting(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The columns whose logits are needed, and for each response token (C, R, len_r) which.

        The first token of every response is predicted by its condition's last token.
        """
        before = self.response_columns() - 1
        for c in range(self.n_c):
            before[c, :, 0] = self.condition_end(c) - 1
        columns, source = torch.unique(before, return_inverse=True)
        return columns, source

    def visible(self) -> torch.Tensor:
        """(width, width) bool: whether the query column may see the key column, padding aside."""
        block = torch.full((self.width,), -1)  # -1: the prefix
        branch = torch.full((self.width,), -1)  # -1: the prefix or a condition
        for c in range(self.n_c):
            start = self.len_p + c * self.block
            block[start : start + self.block] = c
            for r in range(self.n_r):
                first = self.response_start(c, r)
                branch[first : first + self.len_r] = r
        same_block = (block[None, :] == -1) | (block[None, :] == block[:, None])
        same_branch = (branch[None, :] == -1) | (branch[None, :] == branch[:, None])
        return same_block & same_branch & torch.ones(self.width, self.width).tril().bool()
