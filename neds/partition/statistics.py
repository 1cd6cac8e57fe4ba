"""Normalisation statistics, from training trials only.

Shapes: K trials, T bins, N units.
"""

import numpy as np

from neds.modalities import Modality
from neds.words import counted

_CONSTANT = 1e-5
"""Of the largest value: a smaller standard deviation is that of rounding."""


def training_statistics(
    values: dict[str, np.ndarray], modalities: dict[str, Modality], training: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    """Statistics of each modality over the trials in the mask `training` (K,).

    counts: `mean`, `std` (N,) of the spikes per bin; continuous: `mean`, `std` (width,) of the known values;
    scalar: the same, (1,); categorical: `frequency` (classes,) among the known values, equal where none is known. The std
    of what is constant is given as 1: of counts if it is zero, of other values if it is below 1e-5 of the largest, which
    rounding to 32 bits may make.
    """
    return {
        name: _STATISTICS[modalities[name].kind](array[training], modalities[name]) for name, array in values.items()
    }


def constant_columns(values: dict[str, np.ndarray], modalities: dict[str, Modality], training: np.ndarray) -> list[str]:
    """A line for each continuous or scalar modality of which columns are constant in the training trials, mask (K,)."""
    lines = []
    for name, array in values.items():
        if modalities[name].kind in ("continuous", "scalar"):
            columns = _columns(array)
            n_constant = int(np.count_nonzero(_is_constant(*_moments(columns[training]))))
            if n_constant:
                lines.append(
                    f"{name}: {n_constant} of {counted(columns.shape[-1], 'column')} constant in the training trials"
                )
    return lines


def _counts(counts: np.ndarray, modality: Modality) -> dict[str, np.ndarray]:
    n = counts.shape[0] * counts.shape[1]
    mean = counts.sum(axis=(0, 1), dtype=np.int64) / n
    # einsum sums the squares without an array of floats as large as the session.
    mean_square = np.einsum("ktn,ktn->n", counts, counts, dtype=np.float64) / n
    return {"mean": mean, "std": _positive(np.sqrt(np.maximum(mean_square - mean**2, 0)))}


def _continuous(values: np.ndarray, modality: Modality) -> dict[str, np.ndarray]:
    mean, std, largest = _moments(_columns(values))
    return {"mean": mean, "std": np.where(_is_constant(mean, std, largest), 1.0, std)}


def _columns(values: np.ndarray) -> np.ndarray:
    """Values as (K, T, width); one value per trial as one bin of one column."""
    return values[:, None, None] if values.ndim == 1 else values


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and largest size (width,) of the known values (K, T, width)."""
    values = values.astype(np.float64)
    n = np.maximum(np.isfinite(values).sum(axis=(0, 1)), 1)
    mean = np.nansum(values, axis=(0, 1)) / n
    largest = np.nan_to_num(np.abs(values)).max(axis=(0, 1), initial=0)
    return mean, np.sqrt(np.nansum((values - mean) ** 2, axis=(0, 1)) / n), largest


def _is_constant(mean: np.ndarray, std: np.ndarray, largest: np.ndarray) -> np.ndarray:
    return std <= _CONSTANT * largest


def _categorical(index: np.ndarray, modality: Modality) -> dict[str, np.ndarray]:
    n_classes = len(modality.classes)
    count = np.bincount(index[index >= 0], minlength=n_classes)
    return {"frequency": count / count.sum() if count.any() else np.full(n_classes, 1 / n_classes)}


def _positive(std: np.ndarray) -> np.ndarray:
    return np.where(std > 0, std, 1.0)


_STATISTICS = {"counts": _counts, "continuous": _continuous, "categorical": _categorical, "scalar": _continuous}
