"""Muon: steps of a matrix of weights in which all its directions are equally long.

A step of AdamW is dominated by the few directions that most gradients share. Muon makes all singular values of the averaged
gradient about 1, so that rare directions are learned as fast.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the size of a step: Liu et al., "Muon
is scalable for LLM training", 2025, arXiv 2502.16982.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

STEP = 0.4
"""Root mean square of a step's values relative to the learning rate. AdamW's steps have about 0.2 (Liu et al. 2025)."""
MOMENTUM = 0.95
_COEFFICIENTS = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5


def orthogonalised(matrices: Tensor) -> Tensor:
    """U V^T, roughly, of each of the matrices U S V^T (n, rows, columns), rows <= columns: singular values of 0.7 to 1.2.

    By the quintic Newton-Schulz iteration of Jordan et al., which is made of products alone.
    """
    a, b, c = _COEFFICIENTS
    x = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


class Muon(torch.optim.Optimizer):
    """Steps matrices alone, as `torch.optim.Muon` does, but in full precision, all matrices of a shape at once, and by steps
    of the root mean square `STEP` x lr whatever the shape.
    """

    def __init__(self, groups: Sequence[dict[str, Any]]):
        """
        Args:
            groups: `params`, matrices, with their `lr` and `weight_decay`.
        """
        super().__init__(groups, {"momentum": MOMENTUM})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            # One by one many small products would take longer than they need.
            alike: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shape = tuple(sorted(parameter.shape))
                    alike.setdefault(shape, []).append((parameter, self._averaged(parameter, group["momentum"])))
            for shape, members in alike.items():
                wide = torch.stack([gradient if gradient.shape == shape else gradient.T for _, gradient in members])
                size = group["lr"] * STEP * shape[1] ** 0.5
                for (parameter, _), step in zip(members, orthogonalised(wide), strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.sub_(step if parameter.shape == shape else step.T, alpha=size)

    def _averaged(self, parameter: Tensor, momentum: float) -> Tensor:
        """Nesterov's average of the gradients."""
        state = self.state[parameter]
        if not state:
            state["average"] = torch.zeros_like(parameter)
        gradient = cast(Tensor, parameter.grad)
        return gradient.lerp(state["average"].lerp_(gradient, 1 - momentum), momentum)
