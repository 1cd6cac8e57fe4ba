"""Checks and conversions of a user's arrays into the values of modalities.

Shapes: K trials, T bins, N units, d values per bin. `where` names file and key in error messages.
"""

import numpy as np

from neds.errors import UserError
from neds.modalities import Modality
from neds.partition.binning import smallest_counts

SPIKE_AXES = {"trials,units,bins": (0, 2, 1), "trials,bins,units": (0, 1, 2)}


def spike_counts(array: np.ndarray, *, axes: str, n_bins: set[int], where: str) -> np.ndarray:
    """Counts (K, T, N) in the smallest of uint8 and uint16.

    Args:
        array: (K, N, T) or (K, T, N).
        axes: "trials,units,bins", "trials,bins,units", or "auto": the axis as long as the behaviours holds the bins.
        n_bins: numbers of bins found in the continuous behaviours.

    Raises:
        UserError: another number of axes, an order that cannot be told, or values that are no counts.
    """
    if array.ndim != 3:
        raise UserError(f"{where}: spike counts need three axes (trials, units, bins), found shape {array.shape}")
    if axes == "auto":
        axes = _axes_from_shapes(array.shape, n_bins, where)
    if axes not in SPIKE_AXES:
        raise UserError(f"{where}: axes {axes!r} must be one of {'; '.join(SPIKE_AXES)}")
    if array.dtype.kind not in "biuf":
        raise UserError(f"{where}: spike counts must be numbers, found type {array.dtype}")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise UserError(f"{where}: spike counts hold NaN or infinite values; leave these trials out of the file")
        if (array != np.floor(array)).any():
            raise UserError(f"{where}: spike counts must be whole numbers; give spikes per bin, not smoothed rates")
    if array.min(initial=0) < 0:
        raise UserError(f"{where}: spike counts hold negative values; give spikes per bin, without padding")
    if array.max(initial=0) > np.iinfo(np.uint16).max:
        raise UserError(f"{where}: spike counts exceed {np.iinfo(np.uint16).max}; give spikes per bin")
    return np.ascontiguousarray(smallest_counts(array).transpose(SPIKE_AXES[axes]))


def _axes_from_shapes(shape: tuple[int, ...], n_bins: set[int], where: str) -> str:
    fitting = [axes for axes, order in SPIKE_AXES.items() if shape[order[1]] in n_bins]
    if len(fitting) == 1:
        return fitting[0]
    why = "fits no behaviour's number of bins" if n_bins and not fitting else "does not tell bins from units"
    raise UserError(
        f"{where}: shape {shape} {why}; set `axes` in the file or under `arrays` ({' or '.join(SPIKE_AXES)})"
    )


def continuous(array: np.ndarray, modality: Modality, *, n_bins: int, where: str) -> np.ndarray:
    """Values (K, T, width) float32 from (K, T) or (K, T, d), NaN where unknown. A modality of width null takes any d.

    Raises:
        UserError: another shape, text, or infinite values.
    """
    if array.dtype.kind not in "biuf":
        raise UserError(f"{where}: must be numbers, found type {array.dtype}")
    values = array[:, :, None] if array.ndim == 2 else array
    width = modality.width or values.shape[-1]
    if values.shape[1:] != (n_bins, width):
        raise UserError(
            f"{where}: expected shape (trials, {n_bins} bins, {width} values), found {array.shape}; "
            "correct the array, or `width` of the modality"
        )
    if np.isinf(values).any():
        raise UserError(f"{where}: holds infinite values; give NaN where a value is unknown")
    return values.astype(np.float32)


def categorical(array: np.ndarray, modality: Modality, *, where: str) -> np.ndarray:
    """Class indices (K,) int8, -1 where unknown, from labels or indices (K,).

    Text must be one of the modality's class names, or empty where unknown. Numbers are, in this order: NaN for unknown;
    class names, when all names are numbers and all values are among them; -1 and +1 for the first and the second of two
    classes; class indices, with -1 for unknown.

    Raises:
        UserError: another shape, or values that are none of these.
    """
    if array.ndim != 1:
        raise UserError(f"{where}: expected one value per trial, found shape {array.shape}")
    if array.dtype.kind == "U":
        known = array != ""
        index = _position(array, np.array(modality.classes, str))
    elif array.dtype.kind in "biuf":
        values = array.astype(float)
        known = np.isfinite(values)
        index = _numeric_index(values, known, modality)
    else:
        raise UserError(f"{where}: must be numbers or text, found type {array.dtype}")
    if (bad := known & (index < -1)).any():
        found = ", ".join(str(value) for value in np.unique(array[bad])[:5])
        raise UserError(
            f"{where}: {found} is neither a class of {modality.name} ({', '.join(modality.classes)}) nor its index; "
            "correct the values, or `classes` of the modality"
        )
    return np.where(known, index, -1).astype(np.int8)


def _position(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Index (K,) of each value in `classes`, -2 where it is none of them."""
    matches = values[:, None] == classes
    return np.where(matches.any(axis=1), matches.argmax(axis=1), -2)


def _numeric_index(values: np.ndarray, known: np.ndarray, modality: Modality) -> np.ndarray:
    n_classes = len(modality.classes)
    try:
        names = np.array(modality.classes, float)
    except ValueError:
        names = np.full(n_classes, np.nan)
    by_name = _position(values.round(6), names.round(6))
    if (by_name[known] >= 0).all():
        return by_name
    if n_classes == 2 and np.isin(values[known], (-1, 1)).all():
        return _position(values, np.array([-1.0, 1.0]))
    is_index = (values == np.floor(values)) & (values >= -1) & (values < n_classes)
    return np.where(is_index, values, -2).astype(int)
