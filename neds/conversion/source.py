"""What a reader of any format gives of one session, before names are mapped.

Shapes: N units, K trials, n samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from neds.files.raw import Recorded, Trace
from neds.signals.clock import ClockFault, trace_in_order
from neds.signals.stretches import merged
from neds.values import as_text
from neds.words import counted


class NoSuchSeries(Exception):
    """A path leads to no series; the message says what is there instead."""


class UnusableSeries(Exception):
    """A series that is there cannot be used; the message says why."""


@dataclass(frozen=True)
class Spikes:
    """The spikes of a session, in the order of time.

    Attributes:
        times: (n,) seconds.
        units: (n,) row of the unit that fired each.
        remarks: what was left out, a clause each.
    """

    times: np.ndarray
    units: np.ndarray
    remarks: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class SourceSession:
    """One session of an open file.

    Attributes:
        spikes: reads the spikes; raises UserError where they cannot be used.
        n_spikes: how many the file holds, by its shapes alone.
        n_units: N.
        units: columns (N,) of numbers or str.
        marks: those of the units' columns (N,) that are truth values in the file, as bool.
        trials: columns (K,) of numbers or str; None where the file has no table of trials.
        series: reads the series at a path, with remarks; raises NoSuchSeries and UnusableSeries.
        shape_of: shape of the values of the series at a path, (n,) or (n, width), which are not read; raises NoSuchSeries.
        places: lists the paths of series that may be behaviour.
        unit_of: physical unit of the values of the series at a path; empty where the file does not say.
        tables: names of the tables of trials that are there.
        recorded: when the units were recorded; None where the file does not say.
        intervals: (m, 2) lists of stretches of time that the file has by a name, such as those of its splits.
    """

    spikes: Callable[[], Spikes]
    n_spikes: int
    n_units: int
    series: Callable[[str], tuple[Trace, list[str]]]
    shape_of: Callable[[str], tuple[int, ...]] | None = None
    places: Callable[[], list[str]] = list
    unit_of: Callable[[str], str] = lambda place: ""
    subject: str = ""
    lab: str = ""
    date: str = ""
    units: dict[str, np.ndarray] = field(default_factory=dict)
    marks: dict[str, np.ndarray] = field(default_factory=dict)
    trials: dict[str, np.ndarray] | None = None
    tables: list[str] = field(default_factory=list)
    recorded: Recorded | None = None
    intervals: dict[str, np.ndarray] = field(default_factory=dict)


def plain_column(values: np.ndarray, length: int) -> np.ndarray | None:
    """One number or text per row, text as str objects and truth values as 0 and 1; None for anything else."""
    values = np.asarray(values)
    if values.shape != (length,):
        return None
    if values.dtype.kind == "S":
        return np.array([as_text(value) for value in values], dtype=object)
    if values.dtype.kind == "U":
        return values.astype(object)
    if values.dtype.kind == "O":
        decoded = [as_text(value) if isinstance(value, bytes) else value for value in values]
        return np.array(decoded, dtype=object) if all(isinstance(value, str) for value in decoded) else None
    if values.dtype.kind == "b":
        return values.astype(np.int8)
    return values if values.dtype.kind in "iuf" else None


def regular_times(values: np.ndarray, *, start_s: float, rate_hz: float, end_s: Callable[[], float]) -> np.ndarray:
    """Times (n,) of the samples of a series of a rate, (n,) or (n, width).

    Args:
        end_s: tells when the recording ends; asked where the shape leaves a doubt.

    Raises:
        UnusableSeries: an impossible rate, or an array whose second axis fits the recording as time and the first does not.
    """
    if not (np.isfinite([start_s, rate_hz]).all() and rate_hz > 0):
        raise UnusableSeries(f"it starts at {start_s} s and has a rate of {rate_hz} Hz")
    if values.ndim == 2 and values.shape[1] > values.shape[0]:
        off_s = np.abs(start_s + np.array(values.shape) / rate_hz - end_s())
        if off_s[1] < off_s[0]:
            raise UnusableSeries(transposed(values.shape))
    return start_s + np.arange(len(values)) / rate_hz


def transposed(shape: tuple[int, ...]) -> str:
    return f"its shape {shape} has time on the second axis, not the first; write the transposed array"


def source_trace(times: np.ndarray, values: np.ndarray) -> tuple[Trace, list[str]]:
    """The samples whose time is known, in the order of time, and what was left out.

    Args:
        times: (n,) seconds.
        values: (n,) or (n, width) numbers.

    Raises:
        UnusableSeries: they are of other shapes or no numbers, times go back, or 32 bits cannot hold the values.
    """
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2):
        raise UnusableSeries(f"it holds {values.dtype} of shape {values.shape}, not one or more numbers at each time")
    if values.ndim == 2 and values.shape[1] == len(times) != values.shape[0]:
        raise UnusableSeries(transposed(values.shape))
    if len(values) != len(times):
        raise UnusableSeries(f"it holds {counted(len(values), 'value')} at {counted(len(times), 'time')}")
    try:
        trace, remarks = trace_in_order(times, values)
    except ClockFault as fault:
        raise UnusableSeries(str(fault)) from None
    with np.errstate(over="ignore"):
        small = trace.values.astype(np.float32)
    if n_beyond := int(np.count_nonzero(np.isinf(small) & np.isfinite(trace.values))):
        raise UnusableSeries(
            f"{counted(n_beyond, 'value')} beyond {np.finfo(np.float32).max:.1e}, the largest of 32 bits"
        )
    if n_infinite := int(np.count_nonzero(np.isinf(small))):
        remarks.append(f"{counted(n_infinite, 'infinite value')} taken as unknown")
        small[np.isinf(small)] = np.nan
    if not len(trace.times):
        raise UnusableSeries("it has no samples")
    return Trace(trace.times, small), remarks


def events_of_rate(trace: Trace) -> Trace:
    """The events (n,) of which a trace says how many per second there were in each sample, at the times of the samples.

    It may begin or end in the middle of nothing: where it has samples, events would have been seen.
    """
    step_s = float(np.median(np.diff(trace.times))) if len(trace.times) > 1 else 1.0
    numbers = np.nan_to_num(np.round(trace.values.reshape(-1) * step_s)).clip(min=0).astype(int)
    times = np.repeat(trace.times, numbers)
    observed_s = (
        trace.observed_s if trace.observed_s is not None else np.array([[trace.times[0], trace.times[-1] + step_s]])
    )
    return Trace(times, np.ones(len(times), np.float32), observed_s)


def recorded_of(intervals: list[np.ndarray], invalid_s: np.ndarray) -> Recorded:
    """When each unit was recorded.

    Args:
        intervals: of each unit, the stretches (m, 2) in which it was recorded, in seconds; none stands for always.
        invalid_s: (k, 2) stretches that count for no unit.
    """
    sets: dict[bytes, int] = {}
    of_unit, stretches, numbers = [], [], []
    for own in intervals:
        recorded = _without(merged(own if len(own) else np.array([[-np.inf, np.inf]])), merged(invalid_s))
        key = recorded.tobytes()
        if key not in sets:
            sets[key] = len(sets)
            stretches.append(recorded)
            numbers.append(np.full(len(recorded), sets[key]))
        of_unit.append(sets[key])
    return Recorded(np.concatenate([np.zeros((0, 2)), *stretches]), np.concatenate([[], *numbers]), np.array(of_unit))


def _without(stretches: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Stretches (m, 2) less the others (k, 2), both merged."""
    starts = np.concatenate([[-np.inf], others[:, 1]])
    ends = np.concatenate([others[:, 0], [np.inf]])
    starts = np.maximum(stretches[:, None, 0], starts)
    ends = np.minimum(stretches[:, None, 1], ends)
    return np.column_stack([starts.ravel(), ends.ravel()])[(ends > starts).ravel()]
