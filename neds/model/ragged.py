"""Linear maps with one weight matrix per session.

`RaggedLinear` serves maps whose size differs between sessions (their units), `StackedLinear` maps of one size. Both keep
the weights of all sessions in one parameter: an optimiser step costs a few large operations rather than many small ones,
and no parameter is ever without a gradient in distributed training. Weights start uniform within 1 / sqrt(inputs), biases
at 0.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class _Place:
    """Where a session's map lies in the flat parameters of all sessions."""

    weight: slice
    bias: slice
    shape: tuple[int, int]


class _Products(torch.autograd.Function):
    """Rows of every session times its own matrix, in one step of the graph.

    As steps of their own, each session's slice of the parameters would get a gradient of its own, also those of the
    sessions that are not in the batch.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: list[tuple[_Place, slice]]) -> Tensor:
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        x = x.to(dtype)
        y = x.new_zeros(len(x), max(place.shape[0] for place, _ in groups))
        for place, rows in groups:
            outputs, inputs = place.shape
            own_weight, own_bias = weight[place.weight].view(place.shape).to(dtype), bias[place.bias].to(dtype)
            torch.addmm(own_bias, x[rows, :inputs], own_weight.t(), out=y[rows, :outputs])
        ctx.save_for_backward(x, weight, bias)
        ctx.groups = groups
        return y

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight, bias = ctx.saved_tensors
        grad_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        grad_weight, grad_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        for place, rows in ctx.groups:
            outputs, inputs = place.shape
            own = grad_y[rows, :outputs]
            grad_weight[place.weight].view(place.shape).copy_(own.t() @ x[rows, :inputs])
            torch.sum(own, 0, dtype=bias.dtype, out=grad_bias[place.bias])
            if grad_x is not None:
                own_weight = weight[place.weight].view(place.shape).to(x.dtype)
                torch.mm(own, own_weight, out=grad_x[rows, :inputs])
        return grad_x, grad_weight, grad_bias, None


class RaggedLinear(nn.Module):
    """y = W_s x + b_s with W_s (outputs_s, inputs_s), stored one after the other."""

    def __init__(self, inputs: list[int], outputs: list[int]):
        super().__init__()
        shapes = list(zip(outputs, inputs, strict=True))
        weight_ends, bias_ends = list(accumulate(o * i for o, i in shapes)), list(accumulate(outputs))
        self._places = [
            _Place(slice(weight_end - o * i, weight_end), slice(bias_end - o, bias_end), (o, i))
            for weight_end, bias_end, (o, i) in zip(weight_ends, bias_ends, shapes, strict=True)
        ]
        self.weight = nn.Parameter(torch.empty(weight_ends[-1]))
        self.bias = nn.Parameter(torch.zeros(bias_ends[-1]))
        with torch.no_grad():
            for weight, _ in self.matrices():
                weight.uniform_(-(weight.shape[1] ** -0.5), weight.shape[1] ** -0.5)

    def forward(self, x: Tensor, groups: list[tuple[int, slice]]) -> Tensor:
        """Map the trials of each session with its own weights.

        That is one product a session: of padded matrices there could be one for all, but its weights would have to be copied
        together first, and its arithmetic would be several times as much.

        Args:
            x: (B, T, inputs of the widest session in the batch, or more).
            groups: (session, its rows of x) of every session present.

        Returns:
            (B, T, outputs of the widest session in the batch), 0 beyond a session's own.
        """
        n_bins = x.shape[1]
        places = [(self._places[s], slice(n_bins * rows.start, n_bins * rows.stop)) for s, rows in groups]
        return _Products.apply(x.flatten(0, 1), self.weight, self.bias, places).unflatten(0, (-1, n_bins))

    def slices(self, name: str) -> list[slice]:
        """Where in the flat "weight" or "bias" those of each session lie."""
        return [getattr(place, name) for place in self._places]

    def matrices(self) -> list[tuple[Tensor, Tensor]]:
        """(weight, bias) of every session, as views."""
        return [(self.weight[place.weight].view(place.shape), self.bias[place.bias]) for place in self._places]


class StackedLinear(nn.Module):
    """y = W_s x + b_s with every W_s (outputs, inputs)."""

    def __init__(self, n_sessions: int, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_sessions, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(n_sessions, outputs))
        nn.init.uniform_(self.weight, -(inputs**-0.5), inputs**-0.5)

    def matrices(self) -> list[tuple[Tensor, Tensor]]:
        """(weight, bias) of every session, as views."""
        return list(zip(self.weight, self.bias, strict=True))

    def forward(self, x: Tensor, sessions: Tensor) -> Tensor:
        """Map x (B, inputs) or (B, T, inputs) with the weights of each trial's session (B,)."""
        weight, bias = self.weight.index_select(0, sessions), self.bias.index_select(0, sessions)
        if x.ndim == 2:
            return torch.baddbmm(bias[:, :, None], weight, x[:, :, None])[:, :, 0]
        return torch.baddbmm(bias[:, None, :], x, weight.transpose(1, 2))
