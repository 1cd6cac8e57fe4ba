"""Steps on a GPU as CUDA graphs: recorded once, then started as one, where starting their kernels takes longer than these.

A network of the size that a session needs has kernels of a few microseconds; the host takes longer to start each.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neds.training.drawn import Drawn

_WARM_UP = 3


@dataclass(frozen=True)
class _Recording:
    """Of a step: the graph, what it reads, what it leaves of the loss, and the gradients that it leaves."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    sums: Tensor
    gradients: list[Tensor | None]


class StepGraphs:
    """Records a step for every number of trials that a batch has, and replays it.

    A replay draws what the step itself would draw with the same seed. The session must be the same in all steps, because its
    maps are part of what is recorded.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]):
        self._parameters = list(parameters)
        self._recordings: dict[int, _Recording] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def replayed(self, drawn: Drawn, gradients: Callable[[Sequence[Drawn]], Tensor], *, seed: int) -> Tensor:
        """What `gradients` returns, and the gradients that it would add, which must be none yet.

        Args:
            gradients: adds to the gradients of the parameters. It must not wait for the GPU.
            seed: of what is drawn on the GPU.
        """
        n_trials = len(drawn.chosen.trials)
        if n_trials not in self._recordings:
            self._recordings[n_trials] = self._recorded(drawn, gradients)
        recording = self._recordings[n_trials]
        for recorded, values in zip(recording.inputs, drawn.tensors(), strict=True):
            recorded.copy_(values)
        torch.manual_seed(seed)
        recording.graph.replay()
        for parameter, gradient in zip(self._parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        return recording.sums

    def _recorded(self, drawn: Drawn, gradients: Callable[[Sequence[Drawn]], Tensor]) -> _Recording:
        """The step of some trials as a graph. Nothing is kept of what it computes meanwhile."""
        inputs = drawn.mapped(torch.clone)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            # Libraries set themselves up at their first calls, which cannot be recorded.
            for _ in range(_WARM_UP):
                gradients([inputs])
                self._forget()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            sums = gradients([inputs])
        recorded = [parameter.grad for parameter in self._parameters]
        self._forget()
        return _Recording(graph, inputs.tensors(), sums, recorded)

    def _forget(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None
