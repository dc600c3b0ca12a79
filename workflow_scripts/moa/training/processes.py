"""A job's several processes, one per GPU, beyond what the Trainer shares by itself; and its threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object

THREADS = 2  # of a base's job and of SFT's: all others of a task wait for them


def use_threads() -> None:
    """Compute with THREADS threads, however many cores there are: a sum's last bits depend on how many
    share it, and an entry is to be the same on any number of cores.
    """
    torch.set_num_threads(THREADS)


def processes() -> PartialState:
    """This job's processes; the first call joins them (gloo on a CPU, NCCL on GPUs)."""
    return PartialState(cpu=not torch.cuda.is_available())


def shared(items: Sequence[Any], work: Callable[[Sequence[Any]], list[Any]]) -> list[Any]:
    """`work(items)`, one result per item, with every process doing its share; all get all of it."""
    state = processes()
    world = state.num_processes
    if world == 1:
        return work(items)
    mine = work(items[state.process_index :: world])
    of_processes = gather_object([mine])
    results: list[Any] = [None] * len(items)
    for rank, part in enumerate(of_processes):
        results[rank::world] = part
    return results
