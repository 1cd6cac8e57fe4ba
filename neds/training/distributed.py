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

from neds.device import computing_device
from neds.errors import UserError
from neds.words import counted


@dataclass(frozen=True)
class Processes:
    """This process's `rank` among `count`, `on_this_host` of them on this computer, and the device that it computes on."""

    rank: int
    count: int
    device: torch.device
    on_this_host: int = 1

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

    def least(self, number: int) -> int:
        """The least `number` of the processes."""
        if self.count == 1:
            return number
        found = torch.tensor(number, device=self.device)
        dist.all_reduce(found, dist.ReduceOp.MIN)
        return int(found)

    def from_first(self, data: bytes) -> bytes:
        """What `data` is in the first process, in all of them."""
        if self.count == 1:
            return data
        size = torch.tensor([len(data)], device=self.device)
        dist.broadcast(size, src=0)
        content = torch.zeros(int(size), dtype=torch.uint8, device=self.device)
        if self.is_first:
            content.copy_(torch.from_numpy(np.frombuffer(data, np.uint8).copy()))
        dist.broadcast(content, src=0)
        return content.cpu().numpy().tobytes()

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in one of the processes."""
        if self.count == 1:
            return flag
        # In main memory, so that no process waits for its GPU.
        return bool(self.sum(torch.tensor(float(flag))))


def alone(device: torch.device | None = None) -> Processes:
    """A single process, on the GPU if there is one."""
    return Processes(0, 1, device or computing_device())


def _check_gpus(local: int, n_processes: int, n_gpus: int) -> None:
    if n_processes <= n_gpus:
        return
    if local > 0:
        raise SystemExit(1)
    raise UserError(
        f"{n_processes} processes were started on this computer, which has {counted(n_gpus, 'GPU')} for "
        "them: each needs one of its own; lower `processes` in the profile (--processes), or ask for more GPUs"
    )


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that torchrun started together with this one; a single one without torchrun.

    Raises:
        UserError: there are more processes on this computer than GPUs. The first process says it, the others just end.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield alone()
        return
    local, n_local = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    device = computing_device()
    if device.type == "cuda":
        _check_gpus(local, n_local, torch.cuda.device_count())
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // n_local))
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), device, n_local)
    finally:
        dist.destroy_process_group()
