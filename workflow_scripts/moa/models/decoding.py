"""Decoding many prompts with as many rows as fit: a row whose response is finished gets the next prompt."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from moa.models.cache import RowCache

PREFILL = 8192  # tokens of prompts that are read in one pass
FREE = 8  # prompts are admitted when one in so many rows is free


class Rows:
    """The rows that are decoded: which response each has, and how far it is.

    model: in evaluation mode. prompts: 1-D id tensors, longest first. samples: responses to each. rows: at
    once, at least `samples`. draw: (responses, steps, logits) -> the token drawn for each, and whether it
    is the last; the numbers of responses are prompt x samples + sample.
    """

    def __init__(
        self,
        model: Any,
        prompts: Sequence[torch.Tensor],
        samples: int,
        rows: int,
        max_new: int,
        draw: Any,
    ) -> None:
        self.model, self.prompts, self.samples, self.draw = model, prompts, samples, draw
        self.device = next(model.parameters()).device
        self.waiting = deque(range(len(prompts)))
        n = min(rows // samples, len(prompts)) * samples
        self.cache = RowCache(n, len(prompts[0]) + 2 * max_new)
        self.mask = torch.ones(n, 0, dtype=torch.long, device=self.device)
        self.response = torch.full((n,), -1, device=self.device)  # -1: the row is free
        self.step = torch.zeros(n, dtype=torch.long, device=self.device)
        self.token = torch.zeros(n, dtype=torch.long, device=self.device)

    def run(self) -> None:
        """Until every response is finished."""
        while True:
            free = (self.response < 0).nonzero()[:, 0]
            if self.waiting and len(free) * FREE >= len(self.response):
                self._admit(free)
            elif len(free) == len(self.response):
                return
            else:
                if not self.waiting and 2 * len(free) >= len(self.response):
                    self._keep((self.response >= 0).nonzero()[:, 0])
                self._advance()

    def _admit(self, free: torch.Tensor) -> None:
        """Read as many waiting prompts as have room, in passes of at most PREFILL tokens."""
        room = len(free) // self.samples
        wide = len(self.prompts[self.waiting[0]])
        chosen = [
            self.waiting.popleft()
            for _ in range(min(room, len(self.waiting), max(1, PREFILL // wide)))
        ]
        cache, mask, logits = self._read([self.prompts[i] for i in chosen])
        rows = free[: len(chosen) * self.samples]
        source = torch.arange(len(chosen), device=self.device).repeat_interleave(self.samples)
        self.cache.admit(cache, source, rows)
        missing = self.cache.width - self.mask.shape[1]
        self.mask = torch.cat([self.mask, self.mask.new_zeros(len(self.mask), missing)], dim=1)
        self.mask[rows] = 0
        self.mask[rows, self.cache.width - mask.shape[1] :] = mask[source]
        first = torch.tensor(chosen, device=self.device)[source] * self.samples
        self.response[rows] = first + torch.arange(self.samples, device=self.device).repeat(
            len(chosen)
        )
        self.step[rows] = 0
        self._take(rows, logits[source])

    def _read(self, prompts: list[torch.Tensor]) -> tuple[DynamicCache, torch.Tensor, torch.Tensor]:
        """Keys and values, mask (B, T) and next logits (B, V) of prompts that are padded on the left."""
        width = max(map(len, prompts))
        ids = torch.zeros(len(prompts), width, dtype=torch.long)
        mask = torch.zeros(len(prompts), width, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = prompt
            mask[row, width - len(prompt) :] = 1
        mask, cache = mask.to(self.device), DynamicCache()
        logits = self._forward(ids.to(self.device), mask, cache)
        return cache, mask, logits

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
