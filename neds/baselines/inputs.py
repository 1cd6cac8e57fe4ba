"""Inputs of the regression baselines: observed modalities, standardised on the training trials."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from neds.files.aligned import AlignedSession


def standardised(session: AlignedSession, name: str) -> np.ndarray:
    """One modality of all K trials, each of its columns standardised by itself; unknown values at the mean.

    Counts and continuous (K, T, width), T bins; categorical (K, classes), one column per class.
    """
    modality, values = session.modalities[name], session.values[name]
    if modality.kind == "categorical":
        values = values[:, None] == np.arange(len(modality.classes))
    columns = values.reshape(len(values), -1).astype(np.float64)
    scaled = StandardScaler().fit(columns[session.trials_of("train")]).transform(columns)
    return np.nan_to_num(scaled, copy=False).reshape(values.shape)
