"""Inputs and outputs of the regression baselines, standardised on the known values of the training trials."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from neds.files.aligned import AlignedSession


def flat(values: np.ndarray) -> np.ndarray:
    """Values (K, ...) as (K, Q) columns, float64."""
    return values.reshape(len(values), -1).astype(np.float64)


def scaler_of(session: AlignedSession, name: str) -> StandardScaler:
    """Standardises the columns (K, T width) of counts or continuous values, or (K, 1) of scalar ones; what is unknown stays
    NaN.

    A bin that is known in no training trial has the mean of its column over all bins.
    """
    columns = flat(session.values[name])[session.trials_of("train")]
    unknown = ~np.isfinite(columns).any(0)
    mean = session.statistics[name]["mean"]
    columns[:, unknown] = np.tile(mean, len(unknown) // len(mean))[unknown]
    return StandardScaler().fit(columns)


def standardised(session: AlignedSession, name: str) -> np.ndarray:
    """One modality of all K trials, each of its columns standardised by itself; unknown values at the mean.

    Counts and continuous (K, T, width), T bins; categorical (K, classes), one column per class; scalar (K, 1).
    """
    modality, values = session.modalities[name], session.values[name]
    if modality.kind == "categorical":
        columns = (values[:, None] == np.arange(len(modality.classes))).astype(np.float64)
        return StandardScaler().fit(columns[session.trials_of("train")]).transform(columns)
    scaled = scaler_of(session, name).transform(flat(values))
    return np.nan_to_num(scaled, copy=False).reshape(values.shape if values.ndim > 1 else (-1, 1))
