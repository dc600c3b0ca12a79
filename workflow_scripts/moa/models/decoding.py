"""Decoding many prompts with as many rows as fit: a row whose response is finished gets the next prompt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from moa.models.cache import RowCache

PREFILL = 8192  # tokens of prompts that are read in one pass
FREE = 8  # prompts are admitted when one in so many rows is free
Draw = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def rows_within(model: Any, columns: int, gib: float) -> int:
    """How many rows of so many tokens have their keys and values in so much memory; at least one.

    On a GPU at most half of what is free there is taken.
    """
    config, parameter = model.config.get_text_config(), next(model.parameters())
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    each = 2 * config.num_hidden_layers * heads * size * parameter.element_size() * columns
    room = gib * 2**30
    if parameter.is_cuda:
        room = min(room, torch.cuda.mem_get_info(parameter.device)[0] / 2)
    return max(1, int(room / each))


@dataclass(frozen=True)
class Block:
    """Prompts that begin alike, by their numbers: what they share is read once. The rest is not empty."""

    numbers: list[int]
    prefix: torch.Tensor
    rests: list[torch.Tensor]

    @property
    def tokens(self) -> int:
        """Columns that its prompts take."""
        return len(self.prefix) + max(map(len, self.rests))


class Rows:
    """The rows that are decoded: which response each has, and how far it is.

    model: in evaluation mode. blocks: of as many prompts each, longest first. samples: responses to each
    prompt. rows: at once, at least those of one block. draw: (responses, steps, logits) -> the token drawn
    for each, and whether it is the last; the numbers of responses are prompt x samples + sample.
    """

    def __init__(
        self, model: Any, blocks: Sequence[Block], samples: int, rows: int, max_new: int, draw: Draw
    ) -> None:
        self.model, self.samples, self.draw = model, samples, draw
        self.device = next(model.parameters()).device
        self.waiting = deque(blocks)
        self.each = len(blocks[0].numbers) * samples  # rows of a block
        n = max(1, min(rows // self.each, len(blocks))) * self.each
        self.cache = RowCache(n, max(block.tokens for block in blocks) + 2 * max_new)
        self.mask = torch.ones(n, 0, dtype=torch.long, device=self.device)
        self.response = torch.full((n,), -1, device=self.device)  # -1: the row is free
        self.step = torch.zeros(n, dtype=torch.long, device=self.device)
        self.token = torch.zeros(n, dtype=torch.long, device=self.device)

    def run(self) -> None:
        """Until every response is finished."""
        while True:
            free = (self.response < 0).nonzero()[:, 0]
            if self.waiting and len(free) >= max(self.each, len(self.response) // FREE):
                self._admit(free)
            elif len(free) == len(self.response):
                return
            else:
                if not self.waiting and 2 * len(free) >= len(self.response):
                    self._keep((self.response >= 0).nonzero()[:, 0])
                self._advance()

    def _admit(self, free: torch.Tensor) -> None:
        """Read as many waiting blocks as have room, in a pass of at most PREFILL tokens."""
        tokens = self.waiting[0].tokens * len(self.waiting[0].numbers)
        room = min(len(free) // self.each, len(self.waiting), max(1, PREFILL // tokens))
        blocks = [self.waiting.popleft() for _ in range(room)]
        cache, mask, logits = self._read(blocks)
        numbers = [number for block in blocks for number in block.numbers]
        rows = free[: len(numbers) * self.samples]
        source = torch.arange(len(numbers), device=self.device).repeat_interleave(self.samples)
        self.cache.admit(cache, source, rows)
        missing = self.cache.width - self.mask.shape[1]
        self.mask = torch.cat([self.mask, self.mask.new_zeros(len(self.mask), missing)], dim=1)
        self.mask[rows] = 0
        self.mask[rows, self.cache.width - mask.shape[1] :] = mask[source]
        which = torch.arange(self.samples, device=self.device).repeat(len(numbers))
        self.response[rows] = (
            torch.tensor(numbers, device=self.device)[source] * self.samples + which
        )
        self.step[rows] = 0
        self._take(rows, logits[source])

    def _read(self, blocks: list[Block]) -> tuple[DynamicCache, torch.Tensor, torch.Tensor]:
        """Keys and values, mask (B, T) and next logits (B, V) of the prompts of some blocks."""
        cache, many = DynamicCache(), len(blocks[0].numbers)
        mask = torch.zeros(len(blocks) * many, 0, dtype=torch.long, device=self.device)
        if any(len(block.prefix) for block in blocks):
            ids, once = self._padded([block.prefix for block in blocks])
            self._forward(ids, once, cache)
            cache.batch_repeat_interleave(many)
            mask = once.repeat_interleave(many, dim=0)
        ids, rest = self._padded([rest for block in blocks for rest in block.rests])
        mask = torch.cat([mask, rest], dim=1)
        return cache, mask, self._forward(ids, mask, cache)

    def _padded(self, rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask (B, T), padded on the left."""
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for at, row in enumerate(rows):
            ids[at, ids.shape[1] - len(row) :] = row
            mask[at, ids.shape[1] - len(row) :] = 1
        return ids.to(self.device), mask.to(self.device)

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        return self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]

    def _advance(self) -> None:
        """One token more in every row; what a free row gets is never looked at."""
        unused = int((self.mask[self.response >= 0].argmax(dim=1)).min())
        if unused:  # no response in the making sees these columns
            self.cache.forget(unused)
            self.mask = self.mask[:, unused:]
        # A free row sees its own column, so that its softmax is not empty.
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        logits = self._forward(self.token[:, None], self.mask, self.cache)
        rows = (self.response >= 0).nonzero()[:, 0]
        self._take(rows, logits[rows])

    def _take(self, rows: torch.Tensor, logits: torch.Tensor) -> None:
        """Draw a token in each of these rows; a row whose response it ends is free."""
        drawn, last = self.draw(self.response[rows], self.step[rows], logits)
        self.token[rows] = drawn
        self.step[rows] += 1
        self.response[rows[last]] = -1

    def _keep(self, rows: torch.Tensor) -> None:
        self.cache.select(rows)
        self.mask, self.response = self.mask[rows], self.response[rows]
        self.step, self.token = self.step[rows], self.token[rows]
