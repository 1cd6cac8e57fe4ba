"""Low-rank linear maps between the units of several sessions and what the sessions have in common.

The weights of session s are U_s V: unit factors U_s (N_s, R) of its own times temporal factors V (R, M), which all
sessions share. M counts the pairs of what a unit is related to: bin and output where the units are the inputs
(decoding), input and bin where they are the outputs (encoding). Sources: Zhang et al. 2024, "Exploiting correlations
across trials and behavioral sessions to improve neural decoding", for decoding; Posani et al. 2024, "Rarely
categorical, always high-dimensional", for encoding.

Shapes: K trials, T bins, N units, R rank, P inputs of a trial, Q outputs of a trial.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Trials:
    """Training trials of one session: inputs (K, T, N) and outputs (K, Q) to decode, (K, P) and (K, T, N) to encode.

    Outputs are centred, NaN where unknown.
    """

    inputs: Tensor
    outputs: Tensor


@dataclass(frozen=True)
class Factors:
    """Temporal factors V (R, M); by session, unit factors U_s (N_s, R) and offsets, the outputs of a trial at zero input."""

    temporal: Tensor
    units: list[Tensor]
    offsets: list[Tensor]

    def cut(self, rank: int) -> "Factors":
        """The first `rank` factors."""
        return Factors(self.temporal[:rank], [units[:, :rank] for units in self.units], self.offsets)


class Decoding:
    """From all bins of the units: y[k, q] = sum over n, t, r of U[n, r] V[r, t, q] x[k, t, n]."""

    @staticmethod
    def predict(inputs: Tensor, units: Tensor, temporal: Tensor) -> Tensor:
        """(K, T, N) -> (K, Q)."""
        by_bin = temporal.unflatten(1, (inputs.shape[1], -1)).transpose(0, 1).flatten(0, 1)
        return (inputs @ units).flatten(1) @ by_bin

    @staticmethod
    def by_unit(weights: Tensor, n_units: int) -> Tensor:
        """Weights (T N, Q) of a regression on all inputs at once, as (N, M)."""
        return weights.unflatten(0, (-1, n_units)).transpose(0, 1).flatten(1)


class Encoding:
    """To all bins of the units: y[k, t, n] = sum over r, p of U[n, r] V[r, p, t] x[k, p]."""

    @staticmethod
    def predict(inputs: Tensor, units: Tensor, temporal: Tensor) -> Tensor:
        """(K, P) -> (K, T, N)."""
        by_input = temporal.unflatten(1, (inputs.shape[1], -1)).permute(1, 2, 0)
        return torch.tensordot(inputs, by_input, dims=1) @ units.T

    @staticmethod
    def by_unit(weights: Tensor, n_units: int) -> Tensor:
        """Weights (P, T N) of a regression to all outputs at once, as (N, M)."""
        return weights.unflatten(1, (-1, n_units)).permute(2, 0, 1).flatten(1)


Direction = type[Decoding] | type[Encoding]
Loss = Callable[[Tensor, Tensor], Tensor]
"""Of predicted and true outputs, summed over trials and whatever is known."""


def truncated_ridge(
    direction: Direction,
    sessions: list[Trials],
    *,
    n_units: list[int],
    offsets: list[Tensor],
    strength: float,
    rank: int,
) -> Factors:
    """Where a fit starts: the best approximation of this rank to the ridge weights of all sessions' units together.

    Each session is first reduced to `rank` factors of its own, which is exact for one session and keeps many small. Unknown
    outputs count as average here: the fit that starts from it leaves them out.

    Args:
        n_units: N of each session.
        offsets: of each session, passed on.
        strength: of the ridge penalty, as in `fit`.
    """
    reduced = []
    for trials, number in zip(sessions, n_units, strict=True):
        inputs, outputs = trials.inputs.flatten(1), trials.outputs.flatten(1).nan_to_num(nan=0.0)
        inputs, outputs = inputs - inputs.mean(0), outputs - outputs.mean(0)
        gram = inputs @ inputs.T + strength * torch.eye(len(inputs), dtype=inputs.dtype)
        weights = inputs.T @ torch.cholesky_solve(outputs, torch.linalg.cholesky(gram))
        left, singular, right = torch.linalg.svd(direction.by_unit(weights, number), full_matrices=False)
        reduced.append((left[:, :rank], singular[:rank, None] * right[:rank]))
    left, singular, right = torch.linalg.svd(torch.cat([own for _, own in reduced]), full_matrices=False)
    # Factors of equal size on both sides are well conditioned for gradients.
    size = singular[:rank].sqrt()
    shares = (left[:, :rank] * size).split([len(own) for _, own in reduced])
    units = [own_left @ share for (own_left, _), share in zip(reduced, shares, strict=True)]
    return Factors(size[:, None] * right[:rank], units, offsets)


def fit(
    direction: Direction, sessions: list[Trials], start: Factors, *, strength: float, loss: Loss, steps: int = 30
) -> Factors:
    """Minimise the sum over sessions of loss + strength / 2 |U_s V|^2, by L-BFGS over all trials at once."""
    temporal, *rest = (
        tensor.clone(memory_format=torch.contiguous_format).requires_grad_()
        for tensor in (start.temporal, *start.units, *start.offsets)
    )
    units, offsets = rest[: len(sessions)], rest[len(sessions) :]
    optimizer = torch.optim.LBFGS([temporal, *rest], max_iter=steps, line_search_fn="strong_wolfe")
    n_values = sum(int(trials.outputs.isfinite().sum()) for trials in sessions)

    def objective() -> Tensor:
        optimizer.zero_grad()
        overlap = temporal @ temporal.T
        terms = []
        for trials, own, offset in zip(sessions, units, offsets, strict=True):
            terms.append(loss(direction.predict(trials.inputs, own, temporal) + offset, trials.outputs))
            terms.append(strength / 2 * (own.T @ own * overlap).sum())
        mean = torch.stack(terms).sum() / n_values
        mean.backward()
        return mean

    optimizer.step(objective)
    count = len(sessions)
    fitted = [tensor.detach() for tensor in rest]
    return Factors(temporal.detach(), fitted[:count], fitted[count:])
