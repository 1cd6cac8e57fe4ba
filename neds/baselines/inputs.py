"""Inputs and outputs of the regression baselines, standardised on the known values of the training trials."""

from dataclasses import dataclass

import numpy as np

from neds.files.aligned import AlignedSession

_LEAST_STD = 1e-6
"""Of the largest value: what varies less is constant, but for rounding to 32 bits."""


@dataclass(frozen=True)
class Standard:
    """Mean and scale (Q,) of columns: their standard deviation, 1 where that is zero."""

    mean: np.ndarray
    scale: np.ndarray

    def standardised(self, columns: np.ndarray) -> np.ndarray:
        """Columns (..., Q) in units of the scale from the mean; NaN stays."""
        found = columns - self.mean
        found /= self.scale
        return found

    def restored(self, columns: np.ndarray) -> np.ndarray:
        """The reverse of `standardised`."""
        return columns * self.scale + self.mean


def flat(values: np.ndarray) -> np.ndarray:
    """Values (K, ...) as (K, Q) columns, float32."""
    return values.reshape(len(values), -1).astype(np.float32)


def standard_of_columns(columns: np.ndarray) -> Standard:
    """Of the known values of columns (K, Q), each known somewhere."""
    known = np.isfinite(columns)
    number, filled = (len(columns), columns) if known.all() else (known.sum(0), np.where(known, columns, 0))
    mean = filled.sum(0, dtype=np.float64) / number
    deviations = columns - mean.astype(np.float32)
    if filled is not columns:
        deviations[~known] = 0
    std = np.sqrt(np.einsum("kq,kq->q", deviations, deviations, dtype=np.float64) / number)
    varies = std > _LEAST_STD * np.maximum(filled.max(0), -filled.min(0))
    scale = np.where(varies, std, 1.0)
    return Standard(mean.astype(np.float32), scale.astype(np.float32))


def standard_of(session: AlignedSession, name: str) -> Standard:
    """Of the columns (K, T width) of counts or continuous values, or (K, 1) of scalar ones.

    A bin that is known in no training trial has the mean of its column over all bins.
    """
    columns = flat(session.values[name][session.trials_of("train")])
    unknown = ~np.isfinite(columns).any(0)
    mean = session.statistics[name]["mean"]
    columns[:, unknown] = np.tile(mean, len(unknown) // len(mean))[unknown]
    return standard_of_columns(columns)


def standardised(session: AlignedSession, name: str) -> np.ndarray:
    """One modality of all K trials, each of its columns standardised by itself, float32; unknown values at the mean.

    Counts and continuous (K, T, width), T bins; categorical (K, classes), one column per class; scalar (K, 1).
    """
    modality, values = session.modalities[name], session.values[name]
    if modality.kind == "categorical":
        columns = (values[:, None] == np.arange(len(modality.classes))).astype(np.float32)
        return standard_of_columns(columns[session.trials_of("train")]).standardised(columns)
    scaled = standard_of(session, name).standardised(flat(values))
    return np.nan_to_num(scaled, copy=False).reshape(values.shape if values.ndim > 1 else (-1, 1))
