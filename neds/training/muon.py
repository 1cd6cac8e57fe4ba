"""Muon: steps of a matrix of weights in which all its directions are equally long.

A step of AdamW is dominated by the few directions that most gradients share. Muon makes all singular values of the averaged
gradient about 1, so that rare directions are learned as fast.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the size of a step: Liu et al., "Muon
is scalable for LLM training", 2025, arXiv 2502.16982.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

STEP = 0.4
"""Root mean square of a step's values relative to the learning rate. 0.2 is that of AdamW (Liu et al. 2025)."""
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


class MuonAdamW(torch.optim.AdamW):
    """Muon for the groups of matrices that say so, AdamW for all others: one optimiser, so that one schedule drives both.

    The momentum of a Muon group is its first beta. Its step has the root mean square `STEP` x lr, whatever its shape.
    """

    def __init__(self, groups: Sequence[dict[str, Any]]):
        """
        Args:
            groups: as of AdamW, each with a key `muon`: whether Muon steps its parameters, which are matrices.
        """
        super().__init__(
            [group | ({"betas": (MOMENTUM, 0.999)} if group["muon"] else {}) for group in groups], fused=True
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        for group in self.param_groups:
            if group["muon"]:
                self._step_matrices(group)
        return super().step(closure)

    def _step_matrices(self, group: dict[str, Any]) -> None:
        # Those of one shape go through the iteration together, or many small products would take longer than they need.
        alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            average = self.state[parameter].setdefault("average", torch.zeros_like(parameter))
            average.lerp_(parameter.grad, 1 - group["betas"][0])
            ahead = parameter.grad.lerp(average, group["betas"][0])
            # AdamW leaves parameters without a gradient as they are.
            parameter.grad = None
            rows, columns = sorted(parameter.shape)
            alike.setdefault((rows, columns), []).append((parameter, ahead))
        for (rows, columns), members in alike.items():
            wide = torch.stack([ahead if ahead.shape == (rows, columns) else ahead.T for _, ahead in members])
            size = group["lr"] * STEP * columns**0.5
            for (parameter, _), step in zip(members, orthogonalised(wide), strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(step if parameter.shape == (rows, columns) else step.T, alpha=size)
