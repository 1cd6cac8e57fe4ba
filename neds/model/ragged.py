"""Linear maps with one weight matrix per session.

`RaggedLinear` serves maps whose size differs between sessions (their units), `StackedLinear` maps of one size. Both keep
the weights of all sessions in one parameter: an optimiser step costs a few large operations rather than many small ones,
and no parameter is ever without a gradient in distributed training. Weights start uniform within 1 / sqrt(inputs), biases
at 0.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
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
        dtype = _computing_dtype(x, weight)
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


class _GatheredProducts(torch.autograd.Function):
    """Every trial times the matrix of its session, all matrices filled up with zeros to the widest: the same operations
    whichever sessions the trials are of.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, sessions: Tensor, padded: "_Padded") -> Tensor:
        dtype = _computing_dtype(x, weight)
        x = x.to(dtype)
        own = padded.matrices(weight.to(dtype)).index_select(0, sessions)
        own_bias = padded.vectors(bias.to(dtype)).index_select(0, sessions)
        ctx.save_for_backward(x, weight, sessions)
        ctx.padded = padded
        return torch.baddbmm(own_bias[:, None], x, own.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        x, weight, sessions = ctx.saved_tensors
        padded: _Padded = ctx.padded
        # A product, because sums by index are added up in any order.
        is_of = torch.arange(padded.shape[0], device=x.device)[:, None] == sessions
        of_trials = grad_y.transpose(1, 2) @ x
        grad_weight = padded.weight_values(is_of.to(x.dtype) @ of_trials.flatten(1)).to(weight.dtype)
        grad_bias = padded.bias_values(is_of.to(weight.dtype) @ grad_y.sum(1, dtype=weight.dtype))
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = grad_y @ padded.matrices(weight.to(x.dtype)).index_select(0, sessions)
        return grad_x, grad_weight, grad_bias, None, None


class _Padded:
    """The maps of all sessions as matrices of one shape, (S, outputs, inputs) of the widest, with zeros beyond their own.

    It holds 8 bytes for each weight, twice what the weight takes.

    Attributes:
        shape: (S, outputs, inputs).
        device: that they are on.
    """

    def __init__(self, places: list[_Place], widest: tuple[int, int], device: torch.device):
        outputs, inputs = widest
        self.shape, self.device = (len(places), outputs, inputs), device
        rows = [outputs * session + np.arange(place.shape[0]) for session, place in enumerate(places)]
        of_weights = [
            (inputs * own[:, None] + np.arange(place.shape[1])).ravel() for own, place in zip(rows, places, strict=True)
        ]
        # Where each flat value lies among the padded ones.
        self._weights = torch.from_numpy(np.concatenate(of_weights)).to(device)
        self._biases = torch.from_numpy(np.concatenate(rows)).to(device)

    def matrices(self, weight: Tensor) -> Tensor:
        """Flat weights as matrices (S, outputs, inputs)."""
        n_sessions, outputs, inputs = self.shape
        return weight.new_zeros(n_sessions * outputs * inputs).index_copy(0, self._weights, weight).view(self.shape)

    def vectors(self, bias: Tensor) -> Tensor:
        """Flat biases as vectors (S, outputs)."""
        n_sessions, outputs, _ = self.shape
        return bias.new_zeros(n_sessions * outputs).index_copy(0, self._biases, bias).view(n_sessions, outputs)

    def weight_values(self, matrices: Tensor) -> Tensor:
        """The flat weights of matrices (S, outputs x inputs)."""
        return matrices.flatten().index_select(0, self._weights)

    def bias_values(self, vectors: Tensor) -> Tensor:
        """The flat biases of vectors (S, outputs)."""
        return vectors.flatten().index_select(0, self._biases)


def _computing_dtype(x: Tensor, weight: Tensor) -> torch.dtype:
    """That of autocast where it is enabled."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype


class RaggedLinear(nn.Module):
    """y = W_s x + b_s with W_s (outputs_s, inputs_s), stored one after the other.

    Attributes:
        widest: most outputs and inputs of a session.
    """

    def __init__(self, inputs: list[int], outputs: list[int]):
        super().__init__()
        shapes = list(zip(outputs, inputs, strict=True))
        weight_ends, bias_ends = list(accumulate(o * i for o, i in shapes)), list(accumulate(outputs))
        self._places = [
            _Place(slice(weight_end - o * i, weight_end), slice(bias_end - o, bias_end), (o, i))
            for weight_end, bias_end, (o, i) in zip(weight_ends, bias_ends, shapes, strict=True)
        ]
        self.widest = max(outputs), max(inputs)
        self._padded: _Padded | None = None
        self.weight = nn.Parameter(torch.empty(weight_ends[-1]))
        self.bias = nn.Parameter(torch.zeros(bias_ends[-1]))
        with torch.no_grad():
            for weight, _ in self.matrices():
                weight.uniform_(-(weight.shape[1] ** -0.5), weight.shape[1] ** -0.5)

    def forward(self, x: Tensor, sessions: Tensor, groups: list[tuple[int, slice]] | None) -> Tensor:
        """Map each trial with the weights of its session.

        With groups that is one product for each session, without copies or needless arithmetic, but of other shapes in every
        batch. Without, the weights are copied for each trial.

        Args:
            x: (B, T, inputs of the widest session in the batch, or more; without groups, of the widest of all).
            sessions: (B,) of each trial.
            groups: (session, its rows of x) of every session present.

        Returns:
            (B, T, outputs of the widest session in the batch, or of all), 0 beyond a session's own.
        """
        if groups is None:
            if self._padded is None or self._padded.device != x.device:
                self._padded = _Padded(self._places, self.widest, x.device)
            return _GatheredProducts.apply(x, self.weight, self.bias, sessions, self._padded)
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
