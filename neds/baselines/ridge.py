"""Ridge regression of many outputs for many penalties, in the coordinates in which the training trials differ.

A fit with a squared penalty has weights in the span of the training trials' inputs. So inputs (K, P) of many more columns
than trials may be turned into fewer columns than trials without any change of the fit.

Shapes: K trials, k some of them, P inputs, Q outputs, r coordinates.
"""

from dataclasses import dataclass

import numpy as np

_LEAST_SHARE = 1e-12
"""Of the largest variance: directions of less are rounding."""


@dataclass(frozen=True)
class Rotated:
    """Inputs less their mean over training trials, along orthogonal directions.

    Attributes:
        coordinates: (K, r) float32, of the training trials uncorrelated.
        energy: (r,) sums of the squared coordinates over the training trials.
    """

    coordinates: np.ndarray
    energy: np.ndarray


def rotated(inputs: np.ndarray, train: np.ndarray) -> Rotated:
    """Rotate inputs (K, P) to the principal directions of the trials `train` (k,), at most min(k, P) of them."""
    inputs = inputs.astype(np.float64)
    centred = inputs - inputs[train].mean(0)
    wide = inputs.shape[1] > len(train)
    products = centred @ centred[train].T if wide else centred[train].T @ centred[train]
    energy, vectors = np.linalg.eigh(products[train] if wide else products)
    kept = energy > _LEAST_SHARE * energy.max(initial=0)
    energy, vectors = energy[kept], vectors[:, kept]
    coordinates = products @ (vectors / np.sqrt(energy)) if wide else centred @ vectors
    return Rotated(coordinates.astype(np.float32), energy)


class Ridge:
    """Regressions with an intercept; each output is fitted to the training trials in which it is known.

    An output that is known in none is predicted as 0.
    """

    def __init__(self, inputs: Rotated, outputs: np.ndarray, train: np.ndarray) -> None:
        """Prepare the fits of outputs (k, Q) of the trials `train` (k,), NaN where unknown."""
        self._n_outputs = outputs.shape[1]
        known = np.isfinite(outputs)
        if known.all():
            self._groups = [_Group(slice(None), inputs, outputs, train)]
            return
        # Outputs that are known in the same trials share a fit.
        patterns, pattern_of = np.unique(known, axis=1, return_inverse=True)
        self._groups = []
        for index, pattern in enumerate(patterns.T):
            columns, trials = np.flatnonzero(pattern_of.ravel() == index), train[pattern]
            if pattern.any():
                own = rotated(inputs.coordinates, trials)
                self._groups.append(_Group(columns, own, outputs[np.ix_(pattern, columns)], trials))

    def predict(self, penalty: float, trials: np.ndarray) -> np.ndarray:
        """Outputs (k, Q), float32, of some trials (k,), by the fit with this penalty on the squared weights."""
        predicted = np.zeros((len(trials), self._n_outputs), np.float32)
        for group in self._groups:
            predicted[:, group.columns] = group.predict(penalty, trials)
        return predicted


class _Group:
    """Outputs that are known in the same training trials."""

    def __init__(self, columns: slice | np.ndarray, inputs: Rotated, outputs: np.ndarray, train: np.ndarray) -> None:
        self.columns, self._inputs = columns, inputs
        self._mean = outputs.mean(0)
        self._products = inputs.coordinates[train].T @ (outputs - self._mean)

    def predict(self, penalty: float, trials: np.ndarray) -> np.ndarray:
        scaled = self._inputs.coordinates[trials] / (self._inputs.energy + penalty)
        return scaled.astype(np.float32) @ self._products + self._mean
