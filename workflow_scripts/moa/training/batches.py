"""What every optimizer step sees does not depend on the number of processes that share it.

A step takes the next `batch_size` rows of the epoch's random order, or those that are left. They are cut
into consecutive pieces, as equal as they come: each process takes its pieces, one micro-batch each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from accelerate.data_loader import SeedableRandomSampler
from torch.utils.data import DataLoader, Sampler

from moa.runtime.errors import JobError
from moa.training.processes import processes


class Batches(Sampler[list[int]]):
    """Batch sampler of one process: the row numbers of its micro-batches, epoch after epoch."""

    def __init__(
        self, n_rows: int, batch_size: int, micro_batch_size: int, seed: int, rank: int, world: int
    ) -> None:
        self.n_rows, self.batch_size, self.micro = n_rows, batch_size, micro_batch_size
        self.rank, self.world = rank, world
        self.order = SeedableRandomSampler(range(n_rows), data_seed=seed)
        left = n_rows % batch_size
        if 0 < left < world:
            raise JobError(
                f"the last step of an epoch has {left} of {n_rows} prompts for {world} processes: "
                "use fewer processes, or make n_train a multiple of batch_size"
            )

    def set_epoch(self, epoch: int) -> None:
        """Each epoch has an order of its own, so that a resumed one continues as it began."""
        self.order.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(self.order)
        for start in range(0, self.n_rows, self.batch_size):
            rows = order[start : start + self.batch_size]
            pieces = self._pieces(len(rows))
            parts = np.array_split(np.array(rows), self.world * pieces)
            for part in parts[self.rank * pieces : (self.rank + 1) * pieces]:
                yield part.tolist()

    def __len__(self) -> int:
        full, left = divmod(self.n_rows, self.batch_size)
        return full * self._pieces(self.batch_size) + (self._pieces(left) if left else 0)

    def _pieces(self, n: int) -> int:
        """Micro-batches per process of a step with n rows; none is empty."""
        return min(math.ceil(n / (self.micro * self.world)), n // self.world)


class SharedBatches:
    """Mixin of a Trainer: its batches are `Batches`, so that processes share every step."""

    args: Any
    train_dataset: Any
    data_collator: Any

    def get_train_dataloader(self) -> DataLoader[Any]:
        """This process's part of every step; needs no further sharding by accelerate."""
        state, micro = processes(), self.args.per_device_train_batch_size
        batches = Batches(
            len(self.train_dataset),
            micro * self.args.gradient_accumulation_steps * state.num_processes,
            micro,
            self.args.seed,
            state.process_index,
            state.num_processes,
        )
        return EpochLoader(
            self.train_dataset,
            batch_sampler=batches,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )


class EpochLoader(DataLoader[Any]):
    """A DataLoader that passes the epoch on to its batches."""

    def set_epoch(self, epoch: int) -> None:
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]
