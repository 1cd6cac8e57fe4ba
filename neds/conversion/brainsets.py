"""Reader of brainsets files, the HDF5 format of torch_brain and temporaldata.

In it every group names its kind in the attribute `object`: a Data holds others; an IrregularTimeSeries has `timestamps`, a
RegularTimeSeries a `sampling_rate` and the start of its `domain`; an Interval has `start` and `end`; an ArrayDict has arrays
alone. Text is stored as bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import h5py
import numpy as np

from neds.conversion.session_file import SessionFile
from neds.conversion.settings import FileMapping
from neds.conversion.source import (
    NoSuchSeries,
    SourceSession,
    Spikes,
    UnusableSeries,
    plain_column,
    recorded_of,
    regular_times,
    source_trace,
)
from neds.errors import UserError
from neds.files import hdf5
from neds.files.raw import Recorded, Trace
from neds.signals.clock import ClockFault, spikes_in_order
from neds.signals.stretches import merged
from neds.words import counted

_CLOCK = "timestamp"
"""How the times of a series, and temporaldata's index of them, begin."""
_SERIES = ("IrregularTimeSeries", "RegularTimeSeries")


@contextmanager
def opened(path: SessionFile, mapping: FileMapping) -> Iterator[SourceSession]:
    """Open a brainsets file for as long as the block runs.

    Raises:
        UserError: it is damaged, of another format, or has no spikes.
    """
    try:
        handle = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path}: damaged, or no brainsets file ({' '.join(str(error).split())})") from None
    with handle:
        hdf5.refuse_foreign(handle, path)
        if handle.attrs.get("object") != "Data":
            raise UserError(f"{path}: no brainsets file (the attribute object of its root is not Data)")
        absent = [name for name in ("spikes/timestamps", "spikes/unit_index", "units") if name not in handle]
        if absent:
            raise UserError(
                f"{path}: the file has no {', '.join(absent)}, so there are no units; it has {_listed(handle)}"
            )
        try:
            session = _session(path, handle, mapping)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(f"{path}: no whole brainsets file ({' '.join(str(error).split())})") from None
        yield session


def _session(path: SessionFile, handle: h5py.File, mapping: FileMapping) -> SourceSession:
    spikes, trials = handle["spikes"], handle.get(mapping.trials_table)
    n_units = max((len(column) for column in handle["units"].values() if isinstance(column, h5py.Dataset)), default=0)
    n_spikes = len(spikes["timestamps"])
    if len(spikes["unit_index"]) != n_spikes:
        raise UserError(
            f"{path}: {len(spikes['unit_index'])} of spikes/unit_index, but {n_spikes} of spikes/timestamps"
        )
    return SourceSession(
        spikes=lambda: _spikes(path, spikes, n_units),
        n_spikes=n_spikes,
        n_units=n_units,
        series=lambda place: _series(handle, place),
        shape_of=lambda place: _found(handle, place)[2].shape,
        places=lambda: _places(handle),
        unit_of=lambda place: _unit_of(handle, place),
        subject=_described(handle, "subject", "id"),
        lab=str(handle.attrs.get("lab", "")),
        date=_described(handle, "session", "recording_date")[:10],
        units=_columns(handle["units"], n_units),
        marks={
            name: column[:]
            for name, column in handle["units"].items()
            if isinstance(column, h5py.Dataset) and column.dtype == bool and column.shape == (n_units,)
        },
        trials=None if trials is None or "start" not in trials else _columns(trials, len(trials["start"])),
        tables=[name for name, group in handle.items() if _kind(group) == "Interval"],
        recorded=_recorded(handle, n_units),
        intervals=_intervals(handle, without=mapping.trials_table),
    )


def _spikes(path: SessionFile, spikes: h5py.Group, n_units: int) -> Spikes:
    """
    Raises:
        UserError: they do not fit into memory, are no numbers, are of units that the file does not have, or go back.
    """
    hdf5.require_memory({name: spikes[name] for name in ("timestamps", "unit_index")}, path)
    units = spikes["unit_index"][:]
    if len(units) and (units.max() >= n_units or units.min() < -1):
        raise UserError(
            f"{path}: spikes/unit_index goes from {units.min()} to {units.max()}, but the file has "
            f"{counted(n_units, 'unit')}; -1 stands for a spike of no unit"
        )
    try:
        times = np.asarray(spikes["timestamps"][:], np.float64)
        rows, lost = spikes_in_order(times, units)
    except (ClockFault, ValueError) as fault:
        raise UserError(f"{path}: {' '.join(str(fault).split())}") from None
    return Spikes(times[rows], units[rows].astype(np.int32), lost)


def _recorded(handle: h5py.File, n_units: int) -> Recorded | None:
    """The domain of the spikes, or else of all of the file."""
    for place in ("spikes/domain", "domain"):
        domain_s = _domain(handle, place)
        if domain_s is not None:
            return recorded_of([domain_s] * n_units, np.zeros((0, 2)))
    return None


def _intervals(group: h5py.Group, *, without: str, prefix: str = "") -> dict[str, np.ndarray]:
    """Every Interval (m, 2) by its path, but for the table of trials and those of series; what has no start and end is left
    out.
    """
    found: dict[str, np.ndarray] = {}
    for name, item in group.items():
        if not isinstance(item, h5py.Group) or f"{prefix}{name}" == without:
            continue
        if _kind(item) == "Data":
            found |= _intervals(item, without=without, prefix=f"{prefix}{name}/")
        elif _kind(item) == "Interval" and {"start", "end"} <= item.keys() and item["start"].shape == item["end"].shape:
            found[f"{prefix}{name}"] = np.column_stack([item[end][:].astype(np.float64) for end in ("start", "end")])
    return found


def _domain(handle: h5py.File, place: str) -> np.ndarray | None:
    """The stretches (m, 2) of a domain, in seconds; None where there is none, or none of any length, which says nothing.

    Raises:
        ValueError: it is no list of stretches.
    """
    if f"{place}/start" not in handle or f"{place}/end" not in handle:
        return None
    start, end = (np.asarray(handle[f"{place}/{name}"][:], np.float64) for name in ("start", "end"))
    if start.shape != end.shape:
        raise ValueError(f"{place} has {start.size} of start and {end.size} of end")
    if not (start <= end).all():
        raise ValueError(f"{place} has NaN, or ends before it starts")
    stretches = merged(np.column_stack([start, end]))
    return stretches if len(stretches) else None


def _columns(group: h5py.Group, length: int) -> dict[str, np.ndarray]:
    plain = {
        name: plain_column(dataset[:], length)
        for name, dataset in group.items()
        if isinstance(dataset, h5py.Dataset) and dataset.shape == (length,)
    }
    return {name: column for name, column in plain.items() if column is not None}


def _places(group: h5py.Group, prefix: str = "") -> list[str]:
    """Paths of the numbers of all time series but the spikes."""
    places = []
    for name, item in group.items():
        place = f"{prefix}{name}"
        if _kind(item) == "Data":
            places += _places(item, f"{place}/")
        elif _kind(item) in _SERIES and place != "spikes":
            places += [
                f"{place}/{attribute}"
                for attribute, values in item.items()
                if isinstance(values, h5py.Dataset) and values.dtype.kind in "iuf" and not attribute.startswith(_CLOCK)
            ]
    return places


def _found(handle: h5py.File, place: str) -> tuple[str, h5py.Group, h5py.Dataset]:
    """The attribute of a time series at a path, e.g. wheel/wheel_speed, after the series and its own path.

    Raises:
        NoSuchSeries: there is none.
    """
    group_path, _, attribute = place.strip("/").rpartition("/")
    group = handle.get(group_path) if group_path else None
    if group is None:
        raise NoSuchSeries(f"the file has {_listed(handle)}")
    kind = _kind(group)
    if kind not in _SERIES:
        raise NoSuchSeries(f"{group_path} is no time series but {kind or 'an array'}; the file has {_listed(handle)}")
    values = group.get(attribute)
    if not isinstance(values, h5py.Dataset):
        raise NoSuchSeries(f"{group_path} has {_listed(group)}")
    return group_path, group, values


def _series(handle: h5py.File, place: str) -> tuple[Trace, list[str]]:
    group_path, group, values = _found(handle, place)
    try:
        observed_s = _domain(handle, f"{group_path}/domain")
    except (TypeError, ValueError) as error:
        raise UnusableSeries(" ".join(str(error).split())) from None
    try:
        if _kind(group) == "IrregularTimeSeries":
            times = group["timestamps"][:]
        else:
            first_s, end_s = float(group["domain/start"][0]), float(group["domain/end"][-1])
            rate_hz = float(group.attrs["sampling_rate"])
            times = regular_times(values, start_s=first_s, rate_hz=rate_hz, end_s=lambda: end_s)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UnusableSeries(
            f"{group_path} does not say when its samples were ({' '.join(str(error).split())})"
        ) from None
    trace, remarks = source_trace(times, values[:])
    return replace(trace, observed_s=observed_s), remarks


def _unit_of(handle: h5py.File, place: str) -> str:
    """The format has no units; some writers add them to a dataset."""
    attributes = handle[place.strip("/")].attrs
    unit = next((attributes[name] for name in ("unit", "units") if name in attributes), "")
    return unit if isinstance(unit, str) else ""


def _kind(item: h5py.Group | h5py.Dataset) -> str:
    return str(item.attrs.get("object", ""))


def _described(handle: h5py.File, group: str, attribute: str) -> str:
    return str(handle[group].attrs.get(attribute, "")) if group in handle else ""


def _listed(group: h5py.Group) -> str:
    return ", ".join(group) or "nothing in it"
