"""Low-rank linear maps from what the sessions have in common to the units of each.

    y[k, t, n] = sum over r and p of U[n, r] V[r, p, t] x[k, p]

The weights of session s are U_s V: unit factors U_s (N_s, R) of its own times temporal factors V (R, P, T), which all
sessions share. They minimise, over the training trials of all sessions,

    1/2 sum of squared errors + penalty / 2 sum over s of |U_s V|^2.

Source: Posani et al. 2024, "Rarely categorical, always high-dimensional".

Shapes: k training trials, T bins, N units, R rank, P inputs of a trial.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

_N_STEPS = 10


@dataclass(frozen=True)
class EncodedSession:
    """What a linear encoder needs of a session's k training trials, inputs and outputs centred.

    Attributes:
        inputs: (P, P) products of the inputs with each other.
        outputs: (P, T, N) products of inputs and outputs.
    """

    inputs: np.ndarray
    outputs: np.ndarray


def encoded_session(inputs: np.ndarray, outputs: np.ndarray) -> EncodedSession:
    """Of centred inputs (k, P) and outputs (k, T, N)."""
    products = inputs.T @ outputs.reshape(len(outputs), -1)
    return EncodedSession(inputs.T @ inputs, products.reshape(-1, *outputs.shape[1:]))


def encoders(
    sessions: list[EncodedSession], *, penalty: float, ranks: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each rank, unit factors U (N, R) of the first session and temporal factors V (R, P, T).

    Of one session in closed form: ridge regression, projected on the leading directions of the covariance of units that it
    explains. Several sessions start from the best approximation to these of all.
    """
    own = [_reduced_rank(session, penalty, max(ranks)) for session in sessions]
    if len(sessions) == 1:
        units, temporal = own[0]
        yield from ((units[:, :rank], temporal[:rank]) for rank in ranks)
        return
    weights = np.concatenate([temporal.reshape(len(temporal), -1) for _, temporal in own])
    leading = np.linalg.svd(weights, full_matrices=False)[2].reshape(-1, *own[0][1].shape[1:])
    for rank in ranks:
        temporal = _shared_factors(sessions, leading[:rank], penalty)
        yield _best_units(sessions[0], temporal, penalty)[0], temporal


def _reduced_rank(session: EncodedSession, penalty: float, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit factors (N, R), orthonormal, and temporal factors (R, P, T) of one session by itself; those of a lower rank are
    the first.
    """
    n_inputs, n_bins, n_units = session.outputs.shape
    products = session.inputs + np.float32(penalty) * np.eye(n_inputs, dtype=np.float32)
    # With the products as L L', the ridge weights are L'^-1 of the whitened outputs: half the work of solving for them.
    whitening = np.linalg.inv(np.linalg.cholesky(products))
    whitened = (whitening @ session.outputs.reshape(n_inputs, -1)).reshape(-1, n_units)
    units = np.linalg.eigh(whitened.T @ whitened)[1][:, ::-1][:, :rank]
    weights = whitening.T @ (whitened @ units).reshape(n_inputs, -1)
    return units, np.moveaxis(weights.reshape(n_inputs, n_bins, -1), -1, 0)


def _shared_factors(sessions: list[EncodedSession], start: np.ndarray, penalty: float) -> np.ndarray:
    """Temporal factors (R, P, T) of several sessions, by L-BFGS from `start`; to each belong the best unit factors."""
    scale = sum(np.trace(session.inputs) for session in sessions)

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        temporal = values.reshape(start.shape).astype(np.float32)
        total, gradient = 0.0, np.zeros(start.shape)
        for session in sessions:
            units, explained, of_inputs = _best_units(session, temporal, penalty)
            total -= float(np.sum(units * explained)) / 2
            gradient += np.tensordot(units.T @ units, of_inputs, 1)
            gradient -= np.moveaxis(session.outputs @ units, -1, 0)
        return total / scale, gradient.ravel() / scale

    options = {"maxiter": _N_STEPS, "maxcor": 5}
    found = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    return found.x.reshape(start.shape).astype(np.float32)


def _best_units(
    session: EncodedSession, temporal: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit factors (N, R) for given temporal factors V (R, P, T); V times outputs (N, R), and inputs times V (R, P, T)."""
    of_inputs = np.matmul(session.inputs, temporal) + np.float32(penalty) * temporal
    explained = np.tensordot(session.outputs, temporal, ((0, 1), (1, 2)))
    products = np.tensordot(of_inputs, temporal, ((1, 2), (1, 2)))
    return explained @ np.linalg.pinv(products, hermitian=True), explained, of_inputs


def encode(inputs: np.ndarray, units: np.ndarray, temporal: np.ndarray) -> np.ndarray:
    """Outputs (k, T, N) of centred inputs (k, P)."""
    return np.tensordot(inputs, temporal, ((1,), (1,))).transpose(0, 2, 1) @ units.T
