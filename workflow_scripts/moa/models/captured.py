"""A decoding step of fixed shapes, which a GPU is given whole, as a CUDA graph.

Launched kernel by kernel, a step of a 7B policy takes Python several times as long as it takes the GPU:
docs/performance.md. A graph repeats the kernels of one step on the memory they had, so what differs from
step to step lies in tensors of its own: tokens, positions, the column that is written, and the mask over
all columns of the buffers, those not in use included.
"""

from __future__ import annotations

import logging
from typing import Any
from weakref import WeakSet

import torch

from moa.models.cache import RowCache

log = logging.getLogger("moa")
_uncapturable: WeakSet[Any] = WeakSet()  # models


class CapturedStep:
    """One token more in all rows of a cache, as long as its buffers are the same ones.

    model: one that goes by mask and positions (`tree_is_exact`), in evaluation mode.
    """

    def __init__(self, model: Any, cache: RowCache) -> None:
        self.model, self.cache = model, cache
        buffer = cache.layers[0].buffers[0]
        rows, capacity, device = buffer.shape[0], buffer.shape[2], buffer.device
        self.ids = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self.positions = torch.zeros_like(self.ids)
        self.column = torch.zeros(1, dtype=torch.long, device=device)
        self.mask = torch.zeros(rows, 1, 1, capacity, dtype=buffer.dtype, device=device)
        self.hidden = torch.finfo(buffer.dtype).min
        self.graph: torch.cuda.CUDAGraph | None = None
        self.steps = 0

    def __call__(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """tokens: (rows,). mask: (rows, columns in use and the next one). Returns: logits (rows, V), which
        the next call writes over.
        """
        self.cache.extend(1)  # may move what is in use, so it comes before anything is looked at
        start, end = self.cache.columns
        self.ids.copy_(tokens[:, None])
        self.positions.copy_(mask.sum(dim=1, keepdim=True) - 1)
        self.column.fill_(end - 1)
        self.mask.fill_(self.hidden)
        self.mask[:, 0, 0, start:end].masked_fill_(mask.bool(), 0.0)
        if (
            self.graph is None
            and self.steps
            and self.ids.is_cuda
            and self.model not in _uncapturable
        ):
            self._capture()
        self.steps += 1
        if self.graph is None:
            return self._forward()
        self.graph.replay()
        return self.logits

    def _capture(self) -> None:
        """After a step without, in which libraries allocate what they keep."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
                self.logits = self._forward()
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            # A mixture of experts, say, whose shapes depend on where tokens are sent.
            _uncapturable.add(self.model)
            log.info("decoding steps are launched kernel by kernel, not as a CUDA graph: %s", error)
        else:
            self.graph = graph

    def _forward(self) -> torch.Tensor:
        with self.cache.writing_at(self.column):
            return self.model(
                input_ids=self.ids,
                attention_mask=self.mask,
                position_ids=self.positions,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
