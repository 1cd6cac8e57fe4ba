"""Low-rank linear maps from the units of each session to what the sessions have in common.

    y[k, q] = sum over r, t and n of U[n, r] V[t, r, q] x[k, t, n]

The weights of session s are U_s V: unit factors U_s (N_s, R) of its own times temporal factors V (T, R, Q), which all
sessions share. They minimise, over the training trials of all sessions,

    loss + penalty / 2 sum over s of |U_s V|^2.

The unit factors are sought among the D directions of a session's units along which ridge regression has the largest weights,
which makes a step independent of the number of units. Source: Zhang et al. 2024, "Exploiting correlations across trials and
behavioral sessions to improve neural decoding".

Shapes: k training trials, T bins, N units, D directions of units, R rank, Q outputs of a trial.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import log_softmax

_N_VALUE_STEPS, _N_CLASS_STEPS = 5, 10
"""More lower the objective by little and do not score higher."""


@dataclass(frozen=True)
class DecodedSession:
    """Training trials of one session.

    Attributes:
        inputs: (k, T, D), centred, along directions of its units.
        outputs: (k, Q), all known: centred values, or a column per class.
        offset: (Q,) outputs at zero input: of values what was taken from them, of classes where the fit starts.
    """

    inputs: np.ndarray
    outputs: np.ndarray
    offset: np.ndarray

    @cached_property
    def products(self) -> np.ndarray:
        """(k, k) products of the trials' inputs with each other, which ridge regressions of all penalties share."""
        columns = self.inputs.reshape(len(self.inputs), -1)
        return columns @ columns.T


@dataclass(frozen=True)
class Decoder:
    """Unit factors U_s (D, R) by session, the temporal factors V (T, R, Q) of all, and offsets (Q,) by session."""

    units: list[np.ndarray]
    temporal: np.ndarray
    offsets: list[np.ndarray]

    def cut(self, rank: int) -> "Decoder":
        """The first `rank` factors."""
        return Decoder([units[:, :rank] for units in self.units], self.temporal[:, :rank], self.offsets)

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs (k, Q) of trials (k, T, D) of the first session."""
        return _factors(inputs, self.units[0]) @ _by_factor(self.temporal) + self.offsets[0]


def leading_directions(
    inputs: np.ndarray, products: np.ndarray, outputs: np.ndarray, *, penalty: float, number: int
) -> np.ndarray:
    """Orthonormal directions (N, D) of units along which ridge regression has the largest weights, D at most `number`.

    Args:
        inputs: (k, T, N), standardised.
        products: (k, k) of the trials' inputs with each other.
        outputs: (k, Q).
        penalty: of the ridge regression.
    """
    return _leading(_ridge_by_unit(inputs, products, outputs, penalty), number)


def decoder_start(sessions: list[DecodedSession], *, penalty: float, rank: int) -> Decoder:
    """Where a fit starts: the best approximation of this rank to the ridge weights of all sessions' units together.

    Each session is first reduced to `rank` factors of its own, which is exact for one session and keeps many small.
    """
    reduced = []
    for session in sessions:
        weights = _ridge_by_unit(session.inputs, session.products, session.outputs, penalty)
        leading = _leading(weights, rank)
        reduced.append((leading, leading.T @ weights))
    left, singular, right = np.linalg.svd(np.concatenate([own for _, own in reduced]), full_matrices=False)
    # Factors of equal size on both sides are well conditioned for gradients.
    size = np.sqrt(singular[:rank])
    shares = np.split(left[:, :rank] * size, np.cumsum([len(own) for _, own in reduced])[:-1])
    units = [own_left @ share for (own_left, _), share in zip(reduced, shares, strict=True)]
    n_bins, n_outputs = sessions[0].inputs.shape[1], sessions[0].outputs.shape[1]
    temporal = (size[:, None] * right[:rank]).reshape(-1, n_bins, n_outputs)
    return Decoder(units, np.moveaxis(temporal, 0, 1), [session.offset for session in sessions])


def value_decoder(
    sessions: list[DecodedSession], start: Decoder, *, penalty: float, steps: int = _N_VALUE_STEPS
) -> Decoder:
    """The fit with half the squared error as loss, by L-BFGS over the unit factors alone.

    For given unit factors the best temporal factors are those of a ridge regression.
    """
    ends = np.cumsum([units.size for units in start.units])[:-1]
    shapes = [units.shape for units in start.units]
    n_values = sum(session.outputs.size for session in sessions)

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        stacked = _stacked(values)
        # The objective depends on the span of the factors alone: orthonormal ones make the penalty one on V.
        orthonormal, triangle = np.linalg.qr(stacked)
        units = _split(orthonormal)
        temporal, errors = _temporal_factors(sessions, units, penalty)
        by_factor = _by_factor(temporal)
        total, gradients = penalty / 2 * float(np.sum(np.square(temporal))), []
        for session, error in zip(sessions, errors, strict=True):
            total += float(np.sum(np.square(error))) / 2
            gradients.append(_by_direction(session.inputs, error @ by_factor.T))
        slope = np.concatenate(gradients)
        slope -= orthonormal @ (orthonormal.T @ slope)
        slope = np.linalg.solve(triangle, slope.T).T
        return total / n_values, slope.ravel().astype(np.float64) / n_values

    def _stacked(values: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [own.reshape(shape) for own, shape in zip(np.split(values, ends), shapes, strict=True)]
        ).astype(np.float32)

    def _split(stacked: np.ndarray) -> list[np.ndarray]:
        return np.split(stacked, np.cumsum([shape[0] for shape in shapes])[:-1])

    found = minimize(
        objective,
        np.linalg.qr(np.concatenate(start.units))[0].ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps},
    )
    units = _split(np.linalg.qr(_stacked(found.x))[0])
    return Decoder(units, _temporal_factors(sessions, units, penalty)[0], start.offsets)


def _temporal_factors(
    sessions: list[DecodedSession], units: list[np.ndarray], penalty: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The best temporal factors (T, R, Q) for unit factors that are orthonormal over all sessions; errors (k, Q) of each."""
    factors = [_factors(session.inputs, own) for session, own in zip(sessions, units, strict=True)]
    n_factors = factors[0].shape[1]
    if len(sessions) == 1 and len(factors[0]) < n_factors:
        products = factors[0] @ factors[0].T
        of_trials = _solved(products, sessions[0].outputs, penalty)
        weights, errors = factors[0].T @ of_trials, [-np.float32(penalty) * of_trials]
    else:
        products = np.zeros((n_factors, n_factors), np.float32)
        targets = np.zeros((n_factors, sessions[0].outputs.shape[1]), np.float32)
        for own, session in zip(factors, sessions, strict=True):
            products += own.T @ own
            targets += own.T @ session.outputs
        weights = _solved(products, targets, penalty)
        errors = [own @ weights - session.outputs for own, session in zip(factors, sessions, strict=True)]
    return weights.reshape(-1, units[0].shape[1], weights.shape[1]), errors


def class_decoder(
    sessions: list[DecodedSession], start: Decoder, *, penalty: float, steps: int = _N_CLASS_STEPS
) -> Decoder:
    """The fit with cross-entropy as loss, by L-BFGS over all factors and offsets at once."""
    parts = [start.temporal, *start.units, *start.offsets]
    ends, count = np.cumsum([part.size for part in parts])[:-1], len(sessions)
    n_trials = sum(len(session.outputs) for session in sessions)

    def decoder(values: np.ndarray) -> Decoder:
        split = np.split(values.astype(np.float32), ends)
        shaped = [own.reshape(part.shape) for own, part in zip(split, parts, strict=True)]
        return Decoder(shaped[1 : count + 1], shaped[0], shaped[count + 1 :])

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        current = decoder(values)
        by_factor = _by_factor(current.temporal)
        overlap = np.matmul(current.temporal, current.temporal.swapaxes(1, 2)).sum(0)
        total, of_temporal, sizes = 0.0, np.zeros_like(by_factor), np.zeros_like(overlap)
        of_units, of_offsets = [], []
        for session, units, offset in zip(sessions, current.units, current.offsets, strict=True):
            factors = _factors(session.inputs, units)
            logits = log_softmax(factors @ by_factor + offset, axis=1)
            slope = np.exp(logits) - session.outputs
            own = units.T @ units
            total += penalty / 2 * float(np.sum(own * overlap)) - float(np.sum(logits * session.outputs))
            sizes += own
            of_temporal += factors.T @ slope
            of_units.append(_by_direction(session.inputs, slope @ by_factor.T) + penalty * units @ overlap)
            of_offsets.append(slope.sum(0))
        shaped = of_temporal.reshape(current.temporal.shape) + penalty * np.matmul(sizes, current.temporal)
        gradient = np.concatenate([part.ravel() for part in (shaped, *of_units, *of_offsets)])
        return total / n_trials, gradient.astype(np.float64) / n_trials

    initial = np.concatenate([part.ravel() for part in parts]).astype(np.float64)
    found = minimize(objective, initial, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return decoder(found.x)


def _factors(inputs: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Inputs (k, T, D) along the unit factors (D, R), as (k, T R)."""
    # A product per trial: BLAS multiplies small matrices by few factors faster than it first orders a large one.
    return (inputs @ units).reshape(len(inputs), -1)


def _by_direction(inputs: np.ndarray, of_factors: np.ndarray) -> np.ndarray:
    """Inputs (k, T, D) times values of the factors (k, T R), summed over trials and bins, as (D, R)."""
    by_bin = of_factors.reshape(*inputs.shape[:2], -1)
    return (inputs.swapaxes(1, 2) @ by_bin).sum(0)


def _by_factor(temporal: np.ndarray) -> np.ndarray:
    """Temporal factors (T, R, Q) as (T R, Q)."""
    return temporal.reshape(-1, temporal.shape[-1])


def _ridge_by_unit(inputs: np.ndarray, products: np.ndarray, outputs: np.ndarray, penalty: float) -> np.ndarray:
    """Weights of a ridge regression without intercept from inputs (k, T, D) on outputs (k, Q), as (D, T Q).

    `products` (k, k) are those of the trials' inputs with each other.
    """
    columns = inputs.reshape(len(inputs), -1)
    weights = columns.T @ _solved(products.copy(), outputs - outputs.mean(0), penalty)
    by_bin = weights.reshape(*inputs.shape[1:], outputs.shape[1])
    return np.moveaxis(by_bin, 1, 0).reshape(inputs.shape[-1], -1)


def _leading(weights: np.ndarray, number: int) -> np.ndarray:
    """The leading left singular vectors (D, number) of weights (D, T Q), D of them at most."""
    return np.linalg.eigh(weights @ weights.T)[1][:, ::-1][:, :number]


def _solved(products: np.ndarray, targets: np.ndarray, penalty: float) -> np.ndarray:
    """(products + penalty I)^-1 targets, of a positive semidefinite matrix that is overwritten."""
    products[np.diag_indices_from(products)] += penalty
    return cho_solve(
        cho_factor(products, lower=True, overwrite_a=True, check_finite=False), targets, check_finite=False
    )
