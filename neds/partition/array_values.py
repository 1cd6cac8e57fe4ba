"""Checks and conversions of a user's arrays into the values of modalities.

Shapes: K trials, T bins, N units, d values per bin. `where` names file and key in error messages.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neds.errors import UserError
from neds.modalities import Modality
from neds.partition.binning import smallest_counts
from neds.partition.unusable import Unusable
from neds.values import Value, value_name
from neds.words import counted

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
        Unusable: values that 32 bits cannot hold.
    """
    _require_numbers(array, where)
    values = array[:, :, None] if array.ndim == 2 else array
    width = modality.width or values.shape[-1]
    if values.shape[1:] != (n_bins, width):
        raise UserError(
            f"{where}: expected shape (trials, {counted(n_bins, 'bin')}, {counted(width, 'value')}), found {array.shape}; "
            "correct the array, or `width` of the modality"
        )
    return _in_32_bits(values, modality, where)


def scalar(array: np.ndarray, modality: Modality, *, where: str) -> np.ndarray:
    """Values (K,) float32 of one number per trial, NaN where unknown.

    Raises:
        UserError: another shape, text, or infinite values.
        Unusable: values that 32 bits cannot hold.
    """
    if array.ndim != 1:
        raise UserError(f"{where}: expected one value per trial, found shape {array.shape}")
    _require_numbers(array, where)
    return _in_32_bits(array, modality, where)


def _require_numbers(array: np.ndarray, where: str) -> None:
    if array.dtype.kind not in "biuf":
        raise UserError(f"{where}: must be numbers, found type {array.dtype}")


def _in_32_bits(values: np.ndarray, modality: Modality, where: str) -> np.ndarray:
    if np.isinf(values).any():
        raise UserError(f"{where}: holds infinite values; give NaN where a value is unknown")
    largest = np.finfo(np.float32).max
    if values.dtype.itemsize > 4 and (np.abs(values) > largest).any():
        raise Unusable(f"{modality.name} holds values beyond {largest:.1e}, the largest of 32 bits; give another unit")
    return values.astype(np.float32)


@dataclass(frozen=True)
class Reading:
    """Class indices (K,) int8, -1 where unknown, and how they were read: "1 -> left (42), -1 -> right (38)"."""

    index: np.ndarray
    told: str


def value_names(column: np.ndarray) -> list[str]:
    """Each value (n,) as text that no other value has: left, 0.5, 20240101; 1 and 0 for truth values, nan for NaN."""
    if column.dtype.kind == "f":
        # The shortest text that its own type reads back, 0.2 also of 32 bits; adding 0 makes -0 the same as 0.
        return [np.format_float_positional(value + 0, trim="-") for value in column]
    return [value_name(value) for value in column.tolist()]


def categorical(
    array: np.ndarray, modality: Modality, *, where: str, meaning: Mapping[str, Value] | None = None, key: str = ""
) -> Reading:
    """Classes of trials from labels or indices (K,), by what the values are declared to mean.

    Of a declared `meaning` all values are looked up in it. Else text must be one of the modality's class names, or empty
    where unknown; and numbers, of which NaN is unknown, are all of one of these:

    - class names, where the names are numbers;
    - -1 and +1 for the first and the second of two classes. Those of `choice` and `reward` may have 0 beside them, as in the
      IBL's data, for unknown;
    - class indices, with -1 for unknown where there are more than two classes. Where the names are numbers, this holds only
      if no name is an index of another class.

    Args:
        meaning: value, as `value_names` writes it -> class name, or "" for unknown.
        where: file and key, for messages.
        key: key of the configuration under which a meaning can be declared, for messages.

    Raises:
        UserError: another shape, values that are none of these, or ones that may be two of these.
    """
    if array.ndim != 1:
        raise UserError(f"{where}: expected one value per trial, found shape {array.shape}")
    array = array.astype(str) if array.dtype.kind in "OST" else array
    if array.dtype.kind not in "biufU":
        raise UserError(f"{where}: must be numbers or text, found type {array.dtype}")
    names = np.array(value_names(array), dtype=object)
    if meaning is not None:
        index = _declared(names, modality, meaning, where, key)
    elif array.dtype.kind == "U" or (array.dtype.kind in "iu" and set(names) <= set(modality.classes)):
        # Whole numbers as text, because floats do not tell large ones apart.
        array = names.astype(str)
        index = _position(array, np.array(modality.classes, str))
        index[array == ""] = -1
    else:
        index = _index_of_numbers(array.astype(float), modality, where, key)
    if (bad := index < -1).any():
        found = ", ".join(dict.fromkeys(str(name) for name in names[bad][:1000]))
        raise UserError(
            f"{where}: {found[:100]} is neither a class of {modality.name} ({', '.join(modality.classes)}) nor its index; "
            f"correct the values, or `classes` of the modality{_or_declare(key)}"
        )
    return Reading(index.astype(np.int8), told(names, index, modality.classes))


def told(names: list[str] | np.ndarray, index: np.ndarray, classes: list[str]) -> str:
    """Which values became which classes, and how often; of many values the commonest."""
    pairs = Counter(zip(names, index.tolist(), strict=True)).most_common()
    parts = [f"{name or 'no text'} -> {classes[i] if i >= 0 else 'unknown'} ({n})" for (name, i), n in pairs[:12]]
    return ", ".join(parts) + (f" and {len(pairs) - 12} more values" if len(pairs) > 12 else "")


def meanings(names: list[str], meaning: Mapping[str, Value]) -> list[Value | None]:
    """What each value stands for; None for one that the declared meaning lacks. NaN and empty text stand for themselves.

    A number that is not whole is also found where it differs by the rounding of 32 bits alone.
    """
    numbers = {key: float(key) for key in meaning if _is_fraction(key)}
    found: dict[str, Value | None] = {}
    for name in dict.fromkeys(names):
        near = [key for key, value in numbers.items() if _is_fraction(name) and abs(value - float(name)) < 1e-6]
        found[name] = meaning.get(name, meaning[near[0]] if len(near) == 1 else None)
    return [found[name] for name in names]


def _is_fraction(text: str) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return np.isfinite(value) and value != round(value)


def _declared(names: np.ndarray, modality: Modality, meaning: Mapping[str, Value], where: str, key: str) -> np.ndarray:
    found = meanings(list(names), {"nan": "", "": ""} | dict(meaning))
    if lacking := sorted({name for name, what in zip(names, found, strict=True) if what is None}):
        subject = "" if where.endswith(key) else f"config key {key} "
        raise UserError(f"{where}: {subject}says nothing of {', '.join(lacking[:5])}; it names {', '.join(meaning)}")
    stands_for = [what for what in found if what is not None]
    if all(not isinstance(what, str) or not what for what in meaning.values()):
        numbers = np.array([np.nan if what == "" else float(what) for what in stands_for])
        return _index_of_numbers(numbers, modality, where, "")
    classes = {name: i for i, name in enumerate(modality.classes)} | {"": -1, "nan": -1}
    if wrong := sorted({value_name(what) for what in stands_for} - classes.keys()):
        raise UserError(
            f'{where}: {", ".join(wrong[:5])} is neither a class of {modality.name} ({", ".join(modality.classes)}) nor ""'
        )
    return np.array([classes[value_name(what)] for what in stands_for])


def _position(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Index (K,) of each value in `classes`, -2 where it is none of them."""
    matches = values[:, None] == classes
    return np.where(matches.any(axis=1), matches.argmax(axis=1), -2)


SIGNED = ("choice", "reward")
"""Modalities of which the IBL writes -1, 0 and 1, with 0 for no choice."""


def _index_of_numbers(values: np.ndarray, modality: Modality, where: str, key: str) -> np.ndarray:
    known = np.isfinite(values)
    index = np.full(len(values), -1)
    index[known] = _numeric_index(values[known], modality, where, key)
    return index


def _numeric_index(values: np.ndarray, modality: Modality, where: str, key: str) -> np.ndarray:
    """Index (K,) of known numbers, -2 where one is neither a class nor an index."""
    n_classes = len(modality.classes)
    as_index = np.where((values == np.floor(values)) & (values >= 0) & (values < n_classes), values, -2).astype(int)
    names = _as_numbers(modality.classes)
    if names is not None:
        by_name = _position(values.round(6), names.round(6))
        is_another_index = (
            (names == names.round()) & (names >= -1) & (names < n_classes) & (names != np.arange(n_classes))
        )
        if (by_name >= 0).all() or is_another_index.any():
            return by_name
        return np.where(values == -1, -1, as_index)
    if n_classes > 2:
        return np.where(values == -1, -1, as_index)
    if not (values == -1).any():
        return as_index
    signed = _position(values, np.array([-1.0, 1.0]))
    if modality.name in SIGNED:
        return np.where(values == 0, -1, signed)
    if (values == 1).any() and not (values == 0).any():
        return signed
    first = modality.classes[0]
    raise UserError(
        f"{where}: -1 may stand for {first} or for unknown; say which{_or_declare(key, lead=' ')}, or give the "
        "class names as text"
    )


def _or_declare(key: str, *, lead: str = ", or say ") -> str:
    """The way to declare a meaning, where the configuration has one."""
    if not key:
        return ""
    how = "what they stand for " if lead.startswith(",") else ""
    return f'{lead}{how}under {key} ({{value: class name, or "" for unknown}})'


def _as_numbers(classes: list[str]) -> np.ndarray | None:
    try:
        return np.array(classes, float)
    except ValueError:
        return None
