"""Where an oracle's weights rest, and the device on which it computes.

same_gpu: on the policy's GPU. second_gpu: on one that no policy uses. cpu_offload: the weights rest
in host memory and visit the policy's GPU for every scoring call. Without CUDA all three are the CPU.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch.func import functional_call

from moa.runtime.errors import JobError

PLACEMENTS = ("same_gpu", "second_gpu", "cpu_offload")
Network = Callable[..., torch.Tensor]


class Placed:
    """A frozen network that is ready on `device` inside `with placed.ready() as network`.

    offload: its weights rest on the CPU (pinned where there is CUDA, so that copies are fast) and
    are copied to `device` on entering. Nothing is copied back: scoring changes no weight.
    """

    def __init__(self, network: torch.nn.Module, device: torch.device, *, offload: bool) -> None:
        self.device = device
        self._offload = offload
        self._network = network.requires_grad_(False).eval()
        if not offload:
            self._network.to(device)
        elif torch.cuda.is_available():
            for tensor in (*network.parameters(), *network.buffers()):
                tensor.data = tensor.data.pin_memory()

    @contextmanager
    def ready(self) -> Iterator[Network]:
        """The network as a callable that takes and returns tensors on `device`."""
        if not self._offload:
            yield self._network
            return
        resting = {**dict(self._network.named_parameters()), **dict(self._network.named_buffers())}
        visiting = {
            name: tensor.to(self.device, non_blocking=True) for name, tensor in resting.items()
        }
        yield lambda **batch: functional_call(self._network, visiting, (), batch)


def place(network: torch.nn.Module, placement: str) -> Placed:
    """Put a network where the job's placement says.

    Raises: JobError if there is no such GPU, ValueError for an unknown placement.
    """
    device = device_for(placement, torch.cuda.device_count(), os.environ)
    return Placed(network, device, offload=placement == "cpu_offload" and device.type == "cuda")


def device_for(placement: str, gpus: int, environ: Mapping[str, str]) -> torch.device:
    """The device of this process (LOCAL_RANK of WORLD_SIZE) on a machine with that many GPUs."""
    if placement not in PLACEMENTS:
        raise ValueError(f"placement is {placement!r}: choose among {', '.join(PLACEMENTS)}")
    if gpus == 0:
        return torch.device("cpu")
    rank, processes = int(environ.get("LOCAL_RANK", 0)), int(environ.get("WORLD_SIZE", 1))
    index = rank + processes if placement == "second_gpu" else rank
    if index >= gpus:
        raise JobError(
            f"oracle placement {placement} needs GPU {index} for process {rank} of {processes}, but "
            f"the job has {gpus}: ask for {index + 1} or more, or choose another placement"
        )
    return torch.device("cuda", index)
