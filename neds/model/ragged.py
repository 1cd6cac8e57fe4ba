"""Linear maps with one weight matrix per session.

`RaggedLinear` serves maps whose size differs between sessions (their units), `StackedLinear` maps of one size. Both keep
the weights of all sessions in one parameter: an optimiser step costs a few large operations rather than many small ones,
and no parameter is ever without a gradient in distributed training. Weights start uniform within 1 / sqrt(inputs), biases
at 0.
"""

import torch
from torch import Tensor, nn


class RaggedLinear(nn.Module):
    """y = W_s x + b_s with W_s (outputs_s, inputs_s), stored one after the other.

    Call `matrices()` once per forward pass and index its result by session: splitting once keeps the gradient one
    concatenation instead of a full-size buffer per session.
    """

    def __init__(self, inputs: list[int], outputs: list[int]):
        super().__init__()
        self.shapes = list(zip(outputs, inputs, strict=True))
        self.weight = nn.Parameter(torch.empty(sum(o * i for o, i in self.shapes)))
        self.bias = nn.Parameter(torch.zeros(sum(outputs)))
        with torch.no_grad():
            for weight, _ in self.matrices():
                weight.uniform_(-(weight.shape[1] ** -0.5), weight.shape[1] ** -0.5)

    def matrices(self) -> list[tuple[Tensor, Tensor]]:
        """(weight, bias) of every session, as views."""
        weights = self.weight.split([o * i for o, i in self.shapes])
        biases = self.bias.split([o for o, _ in self.shapes])
        return [(w.view(shape), b) for w, b, shape in zip(weights, biases, self.shapes, strict=True)]


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
        weight, bias = self.weight[sessions], self.bias[sessions]
        if x.ndim == 2:
            return torch.baddbmm(bias[:, :, None], weight, x[:, :, None])[:, :, 0]
        return torch.baddbmm(bias[:, None, :], x, weight.transpose(1, 2))
