"""Steps on a GPU as CUDA graphs: recorded once, then started as one.

A network of the size that a session needs has kernels of a few microseconds; the host takes longer to start each. With many
sessions and layers a slow host is late even for the kernels of a large batch.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neds.data.store import TrialStore
from neds.model.network import NEDS
from neds.model.ragged import RaggedLinear
from neds.training.distributed import Processes
from neds.training.drawn import Drawn
from neds.training.settings import MemorySettings

log = logging.getLogger(__name__)

MOST_COPIED = 2**28
"""Weights of a stitcher that a step copies at most, for its trials or for all sessions. Those of 1024 trials, 600 units and
a width of 256 are half as many."""
_WARM_UP = 3


def are_recorded(
    model: NEDS, store: TrialStore, memory: MemorySettings, processes: Processes, *, n_trials: int
) -> bool:
    """Whether a training's steps are CUDA graphs. Nothing in them may come from the host. Batches of several sessions must
    be alike, for which every trial gets a copy of its session's weights.

    Args:
        n_trials: of the largest batch.
    """
    if processes.device.type != "cuda" or processes.count > 1 or not store.is_on_device:
        return False
    if memory.compile is False or memory.recompute:
        return False
    maps = [module for module in model.stitchers.modules() if isinstance(module, RaggedLinear)]
    n_copies = max(n_trials, len(store.eids))
    return len(store.eids) == 1 or all(n_copies * math.prod(own.widest) <= MOST_COPIED for own in maps)


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
    """

    def __init__(self, parameters: Iterable[nn.Parameter]):
        self._parameters = list(parameters)
        self._recordings: dict[tuple[int, ...], _Recording | None] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def replayed(self, drawn: Sequence[Drawn], gradients: Callable[[Sequence[Drawn]], Tensor], *, seed: int) -> Tensor:
        """What `gradients` returns, and the gradients that it would add, which must be none yet.

        Args:
            drawn: parts of the batch.
            gradients: adds to the gradients of the parameters. It must not wait for the GPU.
            seed: of what is drawn on the GPU.
        """
        sizes = tuple(len(part.chosen.trials) for part in drawn)
        if sizes not in self._recordings:
            self._recordings[sizes] = self._recorded_if_it_fits(drawn, gradients)
        recording = self._recordings[sizes]
        if recording is None:
            torch.manual_seed(seed)
            return gradients(drawn)
        for recorded, values in zip(recording.inputs, _tensors(drawn), strict=True):
            recorded.copy_(values)
        torch.manual_seed(seed)
        recording.graph.replay()
        for parameter, gradient in zip(self._parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        return recording.sums

    def _recorded_if_it_fits(
        self, drawn: Sequence[Drawn], gradients: Callable[[Sequence[Drawn]], Tensor]
    ) -> _Recording | None:
        """A graph keeps its memory, beside which other work may find too little."""
        try:
            return self._recorded(drawn, gradients)
        except torch.OutOfMemoryError as error:
            log.info("Steps of %d trials are not recorded: %s", sum(len(part.chosen.trials) for part in drawn), error)
        # Here, because the tensors of the failed step live as long as its exception is handled.
        self._forget()
        torch.cuda.empty_cache()
        return None

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
