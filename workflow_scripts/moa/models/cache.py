"""Keys and values of the rows that are decoded, in buffers that are allocated once.

transformers' own cache copies all it holds for every token. Here a token is written into the next column of
a buffer, and attention gets a view of the columns in use. All rows end at the same column, so a row whose
response is finished can be given another prompt at any time: its keys and values end there, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer


class RowLayer(DynamicLayer):
    """One layer: buffers (rows, heads, capacity, size), of which the columns [start, end) are in use."""

    def __init__(self, rows: int, capacity: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """keys, values: of any rows and columns; the buffers are as these are."""
        super().__init__()
        self.dtype, self.device = keys.dtype, keys.device
        self.start, self.end = 0, 0
        self.column: torch.Tensor | None = None  # see RowCache.writing_at
        # Zeros, not garbage: a weight of 0 times NaN would be NaN.
        self.buffers = [
            part.new_zeros(rows, part.shape[1], capacity, part.shape[3]) for part in (keys, values)
        ]
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the next column of all rows. Returns: views of all columns in use."""
        if self.column is not None:
            for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
                buffer.index_copy_(2, self.column, new)
            return self.buffers[0], self.buffers[1]
        self.extend(key_states.shape[2])
        for part, new in ((self.keys, key_states), (self.values, value_states)):
            part[:, :, -new.shape[2] :] = new
        return self.keys, self.values

    def extend(self, columns: int) -> None:
        """Take more columns into use; at the buffers' end, all in use move to their beginning."""
        if self.end + columns > self.buffers[0].shape[2]:
            width = self.end - self.start
            for buffer in self.buffers:
                buffer[:, :, :width] = buffer[:, :, self.start : self.end].clone()
            self.start, self.end = 0, width
        self.end += columns
        self.show()

    def resize(self, rows: int, capacity: int) -> None:
        """Other buffers, with at least as many rows, and what is in use at their beginning."""
        width = self.end - self.start
        self.buffers = []
        for part in (self.keys, self.values):
            made = part.new_zeros(rows, part.shape[1], capacity, part.shape[3])
            made[: len(part), :, :width] = part
            self.buffers.append(made)
        self.start, self.end = 0, width
        self.show()

    def show(self) -> None:
        """Have `keys` and `values` be what is in use."""
        self.keys, self.values = (b[:, :, self.start : self.end] for b in self.buffers)


class RowCache(Cache):
    """All layers, of as many rows as were asked for last."""

    layers: list[Any]

    def __init__(self) -> None:
        super().__init__(layers=[])
        self.rows, self.capacity = 0, 0

    @property
    def width(self) -> int:
        """Columns in use."""
        return self.get_seq_length()

    def resize(self, rows: int, capacity: int) -> None:
        """More rows, and another number of columns, no less than are in use."""
        self.rows, self.capacity = rows, capacity
        for layer in self.layers:
            layer.resize(rows, capacity)

    def admit(self, prefilled: DynamicCache, source: torch.Tensor, rows: torch.Tensor) -> None:
        """Put prompts into rows, ending where all rows end. source: which of `prefilled` for each row."""
        if not self.layers:
            self.layers = [
                RowLayer(self.rows, self.capacity, layer.keys, layer.values)
                for layer in prefilled.layers
            ]
            for layer in self.layers:
                layer.show()
        for own, new in zip(self.layers, prefilled.layers, strict=True):
            wide = new.keys.shape[2]
            if wide > own.end - own.start:
                own.extend(wide - (own.end - own.start))
            for part, given in ((own.keys, new.keys), (own.values, new.values)):
                part[rows, :, part.shape[2] - wide :] = given[source]

    @property
    def columns(self) -> tuple[int, int]:
        """The columns [start, end) of the buffers that are in use."""
        return self.layers[0].start, self.layers[0].end

    def extend(self, columns: int) -> None:
        """Take more columns into use, before they are written."""
        for layer in self.layers:
            layer.extend(columns)

    @contextmanager
    def writing_at(self, column: torch.Tensor) -> Iterator[None]:
        """Meanwhile a token is written at this column, (1,), and attention is given all of the buffers:
        what it may see is for the mask to say.
        """
        for layer in self.layers:
            layer.column = column
        try:
            yield
        finally:
            for layer in self.layers:
                layer.column = None

    def forget(self, columns: int) -> None:
        """Take the first columns out of use."""
        for layer in self.layers:
            layer.start += columns
            layer.show()

    def select(self, rows: torch.Tensor) -> None:
        """Keep these rows alone."""
        for layer in self.layers:
            layer.buffers = [buffer[rows] for buffer in layer.buffers]
            layer.show()
