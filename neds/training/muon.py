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
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
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
            alike: dict[tuple[int, ...], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike.setdefault(tuple(sorted(parameter.shape)), []).append(parameter)
            for shape, members in alike.items():
                averages = self._averaged(members, group["momentum"])
                wide = torch.stack([each if each.shape == shape else each.T for each in averages])
                steps = [
                    step if parameter.shape == shape else step.T
                    for parameter, step in zip(members, orthogonalised(wide), strict=True)
                ]
                torch._foreach_mul_(members, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(members, steps, alpha=-group["lr"] * STEP * shape[1] ** 0.5)

    def _averaged(self, parameters: Sequence[Tensor], momentum: float) -> Sequence[Tensor]:
        """Nesterov's averages of the gradients."""
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["average"] = torch.zeros_like(parameter)
        averages = [self.state[parameter]["average"] for parameter in parameters]
        gradients = [cast(Tensor, parameter.grad) for parameter in parameters]
        torch._foreach_lerp_(averages, gradients, 1 - momentum)
        return torch._foreach_lerp(gradients, averages, momentum)
