"""Principal components of a modality with many values per bin, fitted to the training trials alone.

Shapes: K trials, T bins, F values per bin, d components.
"""

import numpy as np

from neds.files.aligned import Components
from neds.modalities import Modality
from neds.partition.settings import PartitionSettings


def reduced(
    values: dict[str, np.ndarray], modalities: dict[str, Modality], training: np.ndarray, settings: PartitionSettings
) -> tuple[dict[str, np.ndarray], dict[str, Modality], dict[str, Components]]:
    """Values, and components of those whose modality has width null; the modalities as stored; what the components are.

    Args:
        training: mask (K,) of the trials to fit to.
    """
    many = [name for name, modality in modalities.items() if modality.kind == "continuous" and modality.width is None]
    components = {name: fit_components(values[name], training, settings) for name in many}
    widths = {name: {"width": len(fitted.weights)} for name, fitted in components.items()}
    return (
        values | {name: fitted.project(values[name]) for name, fitted in components.items()},
        {name: modality.model_copy(update=widths.get(name)) for name, modality in modalities.items()},
        components,
    )


def fit_components(values: np.ndarray, training: np.ndarray, settings: PartitionSettings) -> Components:
    """The fewest components that hold the share `component_variance` of the variance, at most `max_components`.

    They are eigenvectors of the covariance (F, F) over all bins of the training trials, so that the cost grows with the
    number of bins only linearly. Bins with an unknown value take no part.

    Args:
        values: (K, T, F), NaN where unknown.
        training: mask (K,).
    """
    rows = values[training].reshape(-1, values.shape[-1])
    rows = rows[np.isfinite(rows).all(axis=1)].astype(np.float64)
    mean = rows.mean(axis=0) if len(rows) else np.zeros(values.shape[-1])
    rows -= mean
    eigenvalues, vectors = np.linalg.eigh(rows.T @ rows)
    eigenvalues, vectors = np.maximum(eigenvalues[::-1], 0), vectors[:, ::-1]
    share = eigenvalues / max(eigenvalues.sum(), np.finfo(float).tiny)
    needed = int(np.searchsorted(np.cumsum(share), settings.component_variance - 1e-12)) + 1
    number = min(needed, settings.max_components, len(share))
    weights = vectors[:, :number].T
    # The sign of an eigenvector is the solver's choice; this makes it the data's.
    weights *= np.sign(weights[np.arange(number), np.abs(weights).argmax(axis=1)])[:, None]
    return Components(mean=mean, weights=weights, variance_share=share[:number])
