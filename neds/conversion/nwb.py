"""Reader of NWB files (Neurodata Without Borders), through pynwb.

Shapes: N units, n samples.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from hdmf.common import DynamicTable, EnumData, VectorData, VectorIndex
from hdmf.container import AbstractContainer
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.ecephys import ElectricalSeries
from pynwb.image import ImageSeries

from neds.conversion.session_file import SessionFile
from neds.conversion.settings import FileMapping
from neds.conversion.source import (
    NoSuchSeries,
    SourceSession,
    Spikes,
    plain_column,
    recorded_of,
    regular_times,
    source_trace,
)
from neds.errors import UserError
from neds.files import hdf5
from neds.files.raw import Recorded, Trace
from neds.signals.clock import ClockFault, spikes_in_order

LONGEST_DETAIL = 300
"""Characters of a message of pynwb, which may name every object of a file."""
_NAME_IT = "name it in the column `linked` of the sessions sheet, or "
_PLACES = ("acquisition", "processing", "stimulus", "analysis", "scratch")


@contextmanager
def opened(path: SessionFile, mapping: FileMapping, *, linked: Sequence[Path] = ()) -> Iterator[SourceSession]:
    """Open an NWB file for as long as the block runs.

    Args:
        linked: other files that its links may lead to.

    Raises:
        UserError: it is damaged, no NWB file, or has no units.
    """
    with warnings.catch_warnings():
        # Of cached namespaces and the like, which no user can act on.
        warnings.simplefilter("ignore")
        for other in linked:
            with _opened(other, linked=[path, *linked]):
                pass
        with _opened(path, linked=linked) as handle:
            try:
                io = NWBHDF5IO(file=handle, mode="r", load_namespaces=True)
            except (OSError, KeyError, TypeError, ValueError) as error:
                raise UserError(f"{path}: damaged, or no NWB file ({' '.join(str(error).split())})") from None
            with io:
                try:
                    file = io.read()
                except Exception as error:  # hdmf raises exceptions of many kinds for files that break the schema
                    detail = " ".join(str(error).split())
                    detail = detail if len(detail) <= LONGEST_DETAIL else f"{detail[:LONGEST_DETAIL]} ..."
                    raise UserError(f"{path}: no NWB file that pynwb can read ({detail})") from None
                yield _session(path, file, mapping)


@contextmanager
def _opened(path: SessionFile, *, linked: Sequence[SessionFile]) -> Iterator[h5py.File]:
    """Pynwb follows whatever links a file has, so they are looked at before."""
    try:
        handle = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path}: damaged, or no NWB file ({' '.join(str(error).split())})") from None
    with handle:
        hdf5.refuse_foreign(handle, path, linked=[file for file in linked if isinstance(file, Path)], how=_NAME_IT)
        yield handle


def _session(path: SessionFile, file: NWBFile, mapping: FileMapping) -> SourceSession:
    if file.units is None or "spike_times" not in file.units.colnames:
        raise UserError(f"{path}: the file has no units with spike times; sort its spikes first")
    index = file.units["spike_times"]
    ends = np.asarray(index.data[:], np.int64)
    # The end of a recording is asked for by each series of a rate.
    spikes = cache(lambda: _spikes(path, index.target, ends))
    tables = {table.name: table for table in (file.trials, *(file.intervals or {}).values()) if table is not None}
    trials = tables.get(mapping.trials_table)
    return SourceSession(
        spikes=spikes,
        n_spikes=int(ends[-1]) if len(ends) else 0,
        n_units=len(ends),
        series=lambda place: _series(_found(file, place), lambda: float(spikes().times.max(initial=0.0))),
        shape_of=lambda place: np.shape(_found(file, place).data),
        places=lambda: _places(file),
        unit_of=lambda place: _found(file, place).unit or "",
        subject=(file.subject.subject_id if file.subject else "") or "",
        lab=file.lab or "",
        date=file.session_start_time.date().isoformat(),
        units=_columns(file.units) | _electrode_columns(file.units),
        marks={name: values for name in file.units.colnames if (values := _truth_values(file.units[name])) is not None},
        trials=None if trials is None else _columns(trials),
        tables=list(tables),
        recorded=_recorded(file, len(ends)),
    )


def _spikes(path: SessionFile, column: VectorData, ends: np.ndarray) -> Spikes:
    """The spikes of a column that holds those of one unit after the other.

    Args:
        ends: (N,) row of the column after each unit's last.

    Raises:
        UserError: the times of a unit go back.
    """
    units = np.repeat(np.arange(len(ends), dtype=np.int32), np.diff(ends, prepend=0))
    times = np.asarray(column.data[: len(units)], np.float64)
    try:
        rows, lost = spikes_in_order(times, units)
    except ClockFault as fault:
        raise UserError(f"{path}: {fault}") from None
    return Spikes(times[rows], units[rows], lost)


def _recorded(file: NWBFile, n_units: int) -> Recorded | None:
    """What `obs_intervals` of the units and `invalid_times` say, where there is one of them."""
    intervals = [np.zeros((0, 2))] * n_units
    if says_when := "obs_intervals" in file.units.colnames:
        index = file.units["obs_intervals"]
        rows = np.asarray(index.target.data[:], np.float64).reshape(-1, 2)
        intervals = np.split(rows, np.asarray(index.data[:], np.int64)[:-1])
    if file.invalid_times is None and not says_when:
        return None
    invalid = file.invalid_times
    columns = () if invalid is None else (invalid["start_time"].data[:], invalid["stop_time"].data[:])
    return recorded_of(intervals, np.column_stack(columns) if columns else np.zeros((0, 2)))


def _columns(table: DynamicTable) -> dict[str, np.ndarray]:
    """The columns with one number or text per row, and the row's id."""
    columns = {"id": np.asarray(table.id[:])}
    for name in table.colnames:
        column = table[name]
        if isinstance(column, VectorIndex) or not isinstance(column, VectorData):
            continue
        # The values of an EnumData are numbers of its own list of names.
        values = column.get(slice(None)) if isinstance(column, EnumData) else column.data[:]
        if len(values) and isinstance(values[0], AbstractContainer):
            values = [value.name for value in values]
        plain = plain_column(np.asarray(values), len(table))
        if plain is not None:
            columns[name] = plain
    return columns


def _truth_values(column: VectorData) -> np.ndarray | None:
    """The values of a column of truth values, one per row; None of any other."""
    if (
        isinstance(column, VectorIndex)
        or getattr(column.data, "dtype", None) != np.dtype(bool)
        or np.ndim(column.data) != 1
    ):
        return None
    return np.asarray(column.data[:])


def _electrode_columns(units: DynamicTable) -> dict[str, np.ndarray]:
    """Columns of the electrodes table, as electrodes.<name>, at each unit's first electrode."""
    if "electrodes" not in units.colnames:
        return {}
    index = units["electrodes"]
    ends = np.asarray(index.data[:], np.int64)
    located = np.diff(ends, prepend=0) > 0
    table = index.target.table
    rows = np.asarray(index.target.data[:], np.int64)[np.concatenate([[0], ends[:-1]])[located]]
    there = (rows >= 0) & (rows < len(table))
    located[located], rows = there, rows[there]
    columns = {}
    for name, values in _columns(table).items():
        unknown = "" if values.dtype == object else np.nan
        own = np.full(len(ends), unknown, object if values.dtype == object else np.float64)
        own[located] = values[rows]
        columns[f"electrodes.{name}"] = own if (~located).any() or values.dtype == object else values[rows]
    return columns


def _found(file: NWBFile, place: str) -> TimeSeries:
    """The TimeSeries at a path, e.g. processing/behavior/Position/paw; or the only one within what is there.

    Raises:
        NoSuchSeries: there is none.
    """
    first, *names = place.strip("/").split("/")
    if first not in _PLACES:
        raise NoSuchSeries(f"a path begins with {', '.join(_PLACES)}")
    here, there = first, dict(getattr(file, first))
    found = None
    for name in names:
        if name not in there:
            raise NoSuchSeries(f"{here} has {', '.join(there) or 'nothing in it'}")
        found, here = there[name], f"{here}/{name}"
        there = {child.name: child for child in found.children}
    while found is not None and not isinstance(found, TimeSeries) and len(there) == 1:
        found = next(iter(there.values()))
        there = {child.name: child for child in found.children}
    if not isinstance(found, TimeSeries):
        kind = "" if found is None else f"is a {type(found).__name__} and "
        raise NoSuchSeries(f"{here} {kind}has {', '.join(there) or 'nothing in it'}")
    return found


def _places(file: NWBFile) -> list[str]:
    """Paths of all TimeSeries but those of voltages and images."""
    waiting = [(f"{first}/{name}", item) for first in _PLACES for name, item in dict(getattr(file, first)).items()]
    places = []
    while waiting:
        place, item = waiting.pop(0)
        if not isinstance(item, TimeSeries):
            waiting += [(f"{place}/{child.name}", child) for child in item.children]
        elif not isinstance(item, ElectricalSeries | ImageSeries):
            places.append(place)
    return places


def _series(series: TimeSeries, end_s: Callable[[], float]) -> tuple[Trace, list[str]]:
    """The samples of a series, with what its conversion and offset make of them.

    Args:
        end_s: reads the time of the last spike.
    """
    data = np.asarray(series.data[:])
    if data.dtype.kind in "biuf":
        data = np.asarray(series.get_data_in_units())
    if series.rate is None:
        times = np.asarray(series.get_timestamps()[:], np.float64)
    else:
        times = regular_times(data, start_s=series.starting_time, rate_hz=series.rate, end_s=end_s)
    return source_trace(times, data)
