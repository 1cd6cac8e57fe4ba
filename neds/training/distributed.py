"""Processes that train one model together, one per GPU or CPU share, as torchrun starts them.

The global batch is cut among the processes, so that batch size, learning rate and epochs mean the same whatever their
number.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Processes:
    """This process's `rank` among `count`, and the device that it computes on."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and reports progress."""
        return self.rank == 0

    def own_rows(self, n_rows: int) -> np.ndarray:
        """Rows of a global batch that belong to this process; none when there are fewer rows than processes."""
        return np.arange(self.rank, n_rows, self.count)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Element-wise sum of `values` over the processes."""
        if self.count > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in one of the processes."""
        if self.count == 1:
            return flag
        return bool(self.sum(torch.tensor(float(flag), device=self.device)))


def alone(device: torch.device | None = None) -> Processes:
    """A single process, on the GPU if there is one."""
    return Processes(0, 1, device or torch.device("cuda" if torch.cuda.is_available() else "cpu"))


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that torchrun started together with this one; a single one without torchrun."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield alone()
        return
    local = int(os.environ["LOCAL_RANK"])
    if torch.cuda.is_available():
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
        torch.set_num_threads(max(1, torch.get_num_threads() // int(os.environ["LOCAL_WORLD_SIZE"])))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()
