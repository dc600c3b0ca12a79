"""Where everything stands in the single row of the tree pass."""

from __future__ import annotations

import torch


class Layout:
    """Columns of a tree row: a prefix ending at len_p, then C blocks of condition + R responses.

    Prefixes and conditions end at common columns (padded left), responses start at common columns
    (padded right). A response's last token has no column: it is predicted, and predicts nothing.
    """

    def __init__(self, len_p: int, n_c: int, len_c: int, n_r: int, len_r: int) -> None:
        self.len_p, self.n_c, self.len_c, self.n_r, self.len_r = len_p, n_c, len_c, n_r, len_r
        self.read = len_r - 1  # columns of a response
        self.block = len_c + n_r * self.read
        self.width = len_p + n_c * self.block
        self.longest = len_p + len_c + len_r  # tokens of a path from the first to the last

    def condition_end(self, c: int) -> int:
        return self.len_p + c * self.block + self.len_c

    def response_start(self, c: int, r: int) -> int:
        return self.condition_end(c) + r * self.read

    def predicting(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The columns whose logits are needed, and for each response token (C, R, len_r) which.

        The first token of every response is predicted by its condition's last token.
        """
        starts = [[self.response_start(c, r) for r in range(self.n_r)] for c in range(self.n_c)]
        before = torch.tensor(starts)[:, :, None] + torch.arange(-1, self.read)
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
                branch[first : first + self.read] = r
        same_block = (block[None, :] == -1) | (block[None, :] == block[:, None])
        same_branch = (branch[None, :] == -1) | (branch[None, :] == branch[:, None])
        return same_block & same_branch & torch.ones(self.width, self.width).tril().bool()
