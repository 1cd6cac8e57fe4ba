"""What a reader of any format gives of one session, before names are mapped.

Shapes: N units, K trials, n samples.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neds.files.raw import Trace


class NoSuchSeries(Exception):
    """A path leads to no series; the message says what is there instead."""


@dataclass(frozen=True, kw_only=True)
class SourceSession:
    """One session of an open file.

    Attributes:
        spike_times: (n_spikes,) seconds, ascending.
        spike_units: (n_spikes,) row of the units.
        n_units: N.
        units: columns (N,) of numbers or str.
        trials: columns (K,) of numbers or str; None where the file has no table of trials.
        series: reads the series at a path; raises NoSuchSeries.
        tables: names of the tables of trials that are there.
    """

    spike_times: np.ndarray
    spike_units: np.ndarray
    n_units: int
    series: Callable[[str], Trace]
    subject: str = ""
    lab: str = ""
    date: str = ""
    units: dict[str, np.ndarray] = field(default_factory=dict)
    trials: dict[str, np.ndarray] | None = None
    tables: list[str] = field(default_factory=list)


def plain_column(values: np.ndarray, length: int) -> np.ndarray | None:
    """One number or text per row, text as str objects and truth values as 0 and 1; None for anything else."""
    values = np.asarray(values)
    if values.shape != (length,):
        return None
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8").astype(object)
    if values.dtype.kind == "U":
        return values.astype(object)
    if values.dtype.kind == "O":
        decoded = [value.decode() if isinstance(value, bytes) else value for value in values]
        return np.array(decoded, dtype=object) if all(isinstance(value, str) for value in decoded) else None
    if values.dtype.kind == "b":
        return values.astype(np.int8)
    return values if values.dtype.kind in "iuf" else None


def ascending_trace(times: np.ndarray, values: np.ndarray) -> Trace:
    """The samples whose time is known, in the order of time.

    Args:
        times: (n,) seconds.
        values: (n,) or (n, width) numbers.

    Raises:
        NoSuchSeries: they are of other shapes or no numbers.
    """
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2) or len(values) != len(times):
        raise NoSuchSeries(
            f"it holds {values.dtype} of shape {values.shape} at {len(times)} times, not one or more numbers each"
        )
    known = np.isfinite(times)
    order = np.flatnonzero(known)[np.argsort(times[known], kind="stable")]
    return Trace(np.asarray(times, np.float64)[order], values[order].astype(np.float32))
