"""Decoding many prompts with as many rows as fit: a row whose response is finished gets the next prompt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from moa.models.cache import RowCache
from moa.models.captured import CapturedStep

PREFILL = 4096  # tokens of prompts that are read in one pass
FREE = 8  # prompts are admitted when one in so many rows is free
WIDER = 1.25  # how many times as many rows are worth to move the cache
SHARE = 0.75  # of a GPU's free memory that the cache may take
Draw = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def tokens_within(model: Any, gib: float) -> int:
    """How many tokens have their keys and values in so much memory, or in SHARE of what a GPU has free."""
    config, parameter = model.config.get_text_config(), next(model.parameters())
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    each = 2 * config.num_hidden_layers * heads * size * parameter.element_size()
    room = gib * 2**30
    if (device := parameter.device).type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        room = min(room, SHARE * (torch.cuda.mem_get_info(device)[0] + held))
    return int(room / each)


def columns_of(tokens: int, max_new: int) -> int:
    """Columns of a cache whose longest prompt has so many tokens.

    All rows end at one column, which moves on with every token; the half more is how far it gets until
    what is in use moves to the beginning.
    """
    return tokens + max_new + max_new // 2


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
    prompt. cache_tokens: held at once, in as many rows as the prompts' length allows, but at least those of
    one block. fixed: whether steps are taken at fixed shapes, so that a GPU can repeat one.
    draw: (responses, steps, logits) -> the token drawn for each, and whether it is the last; the numbers of
    responses are prompt x samples + sample.
    """

    def __init__(
        self,
        model: Any,
        blocks: Sequence[Block],
        samples: int,
        cache_tokens: int,
        max_new: int,
        draw: Draw,
        fixed: bool = False,
    ) -> None:
        self.model, self.samples, self.draw = model, samples, draw
        self.cache_tokens, self.max_new = cache_tokens, max_new
        self.device = next(model.parameters()).device
        self.waiting = deque(blocks)
        self.each = len(blocks[0].numbers) * samples  # rows of a block
        self.cache, self.fixed = RowCache(), fixed
        self.captured: CapturedStep | None = None
        self.mask = torch.ones(0, 0, dtype=torch.long, device=self.device)
        self.response = torch.zeros(0, dtype=torch.long, device=self.device)  # -1: the row is free
        self.step, self.token = self.response.clone(), self.response.clone()

    def run(self) -> None:
        """Until every response is finished."""
        while True:
            if self.waiting:
                self._widen()
            free = (self.response < 0).nonzero()[:, 0]
            if self.waiting and len(free) >= max(self.each, len(self.response) // FREE):
                self._admit(free)
            elif len(free) == len(self.response):
                return
            else:
                if not self.waiting and 2 * len(free) >= len(self.response):
                    self._keep((self.response >= 0).nonzero()[:, 0])
                self._advance()

    def _widen(self) -> None:
        """More rows, where the prompts that wait are so much shorter than those before."""
        now = len(self.response)
        columns = columns_of(max(self.mask.shape[1], self.waiting[0].tokens), self.max_new)
        fit = max(1, self.cache_tokens // columns // self.each) * self.each
        busy = int((self.response >= 0).sum())
        more = min(fit, busy + len(self.waiting) * self.each) - now
        if now + more < max(1, WIDER * now):
            return
        self.cache.resize(now + more, columns)
        self.captured = None
        self.mask = torch.nn.functional.pad(self.mask, (0, 0, 0, more))
        self.response = torch.nn.functional.pad(self.response, (0, more), value=-1)
        self.step, self.token = (
            torch.nn.functional.pad(part, (0, more)) for part in (self.step, self.token)
        )

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
        if self.fixed:
            self.captured = self.captured or CapturedStep(self.model, self.cache)
            logits = self.captured(self.token, self.mask)
        else:
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
        self.captured = None
        self.mask, self.response = self.mask[rows], self.response[rows]
        self.step, self.token = self.step[rows], self.token[rows]
