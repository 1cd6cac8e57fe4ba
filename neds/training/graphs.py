"""Steps on a GPU as CUDA graphs: recorded once, then started as one.

A network of the size that a session needs has kernels of a few microseconds; the host takes longer to start each. With many
sessions and layers a slow host is late even for the kernels of a large batch.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from neds.data.store import TrialStore
from neds.model.network import NEDS
from neds.model.ragged import RaggedLinear
from neds.training.distributed import Processes
from neds.training.drawn import Drawn
from neds.training.settings import MemorySettings

log = logging.getLogger(__name__)

MOST_COPIED = 2**30
"""Weights of a stitcher that are copied for the trials of a part, at most: 2 GB in bf16."""
MOST_PADDED = 2**28
"""Weights of all sessions in a stitcher, filled up to one shape, at most: 2 GB of places (`neds.model.ragged`)."""
_WARM_UP = 3
Result = TypeVar("Result")


def why_not_recorded(
    model: NEDS, store: TrialStore, memory: MemorySettings, processes: Processes, *, n_trials: int
) -> str:
    """Why the steps of a training on a GPU are not CUDA graphs, in a few words; empty where they are.

    Nothing in them may come from the host. Batches of several sessions must be alike, for which every trial gets a copy of
    its session's weights.

    Args:
        n_trials: of the largest part of a batch.
    """
    maps = [math.prod(each.widest) for each in model.stitchers.modules() if isinstance(each, RaggedLinear)]
    is_one, largest = len(store.eids) == 1, max(maps, default=0)
    reasons = {
        "no GPU": processes.device.type != "cuda",
        "training.compile is false": memory.compile is False,
        "training.recompute is true": memory.recompute,
        "several processes train together": processes.count > 1,
        "the GPU's memory is too small for the counts of all sessions": not store.is_on_device,
        "so many sessions, each with a map of its own, are too much": not is_one
        and (n_trials * largest > MOST_COPIED or len(store.eids) * largest > MOST_PADDED),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


@dataclass(frozen=True)
class _Recording:
    """Of a step: the graph, what it reads, what it leaves of the loss, and the gradients that it leaves."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    sums: Tensor
    gradients: list[Tensor | None]


class StepGraphs:
    """Records a step for every size of a batch, and replays it.

    A replay draws what the step itself would draw with the same seed. Batches must be alike (`Chosen`), or all of one
    session: what is recorded are operations on tensors of certain shapes.

    The memory of recorded steps is kept for them, so that other work may find too little: then nothing is recorded any more.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], description: str):
        """
        Args:
            description: name of the run in its messages.
        """
        self._parameters = list(parameters)
        self._description = description
        self._recordings: dict[tuple[int, ...], _Recording] = {}
        self._pool = torch.cuda.graph_pool_handle()
        self._has_room = True

    def replayed(self, drawn: Sequence[Drawn], gradients: Callable[[Sequence[Drawn]], Tensor], *, seed: int) -> Tensor:
        """What `gradients` returns, and the gradients that it would add, which must be none yet.

        Args:
            drawn: parts of the batch.
            gradients: adds to the gradients of the parameters. It must not wait for the GPU.
            seed: of what is drawn on the GPU.
        """

        def step() -> Tensor:
            if self._has_room:
                return self._replayed(drawn, gradients, seed)
            torch.manual_seed(seed)
            return gradients(drawn)

        return self.with_room(step)

    def with_room(self, work: Callable[[], Result]) -> Result:
        """What `work` returns; where it runs out of memory, it is done again without recorded steps.

        Raises:
            torch.OutOfMemoryError: the memory is too small without them.
        """
        try:
            return work()
        except torch.OutOfMemoryError:
            if not self._has_room:
                raise
        # Here, because the tensors of the failed work live as long as its exception is handled.
        self._has_room = False
        self._recordings.clear()
        self._forget()
        torch.cuda.empty_cache()
        log.info("%s: goes on without recorded steps: the GPU's memory is too small for them", self._description)
        return work()

    def _replayed(self, drawn: Sequence[Drawn], gradients: Callable[[Sequence[Drawn]], Tensor], seed: int) -> Tensor:
        sizes = tuple(len(part.chosen.trials) for part in drawn)
        if sizes not in self._recordings:
            self._recordings[sizes] = self._recorded(drawn, gradients)
        recording = self._recordings[sizes]
        for recorded, values in zip(recording.inputs, _tensors(drawn), strict=True):
            recorded.copy_(values)
        torch.manual_seed(seed)
        recording.graph.replay()
        for parameter, gradient in zip(self._parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        return recording.sums

    def _recorded(self, drawn: Sequence[Drawn], gradients: Callable[[Sequence[Drawn]], Tensor]) -> _Recording:
        """The step of a batch as a graph. Nothing is kept of what it computes meanwhile."""
        inputs = [part.mapped(torch.clone) for part in drawn]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            # Libraries set themselves up at their first calls, which cannot be recorded.
            for _ in range(_WARM_UP):
                gradients(inputs)
                self._forget()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            sums = gradients(inputs)
        recorded = [parameter.grad for parameter in self._parameters]
        self._forget()
        return _Recording(graph, _tensors(inputs), sums, recorded)

    def _forget(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


def _tensors(drawn: Sequence[Drawn]) -> list[Tensor]:
    return [tensor for part in drawn for tensor in part.tensors()]
