"""Raw session files as files of brainsets and torch_brain, written by temporaldata itself.

The layout is that of BrainWideBench's sessions (`neds.conversion.settings`), so that source `brainsets` reads them without a
mapping. Shapes: N units, K trials, n samples, m stretches.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np
import pandas as pd
from temporaldata import ArrayDict, Data, Interval, IrregularTimeSeries

from neds import __version__
from neds.conversion.settings import BrainsetsMapping
from neds.errors import UserError
from neds.files.aligned import SPLITS, AlignedSession, read_aligned
from neds.files.atomic import replacing
from neds.files.raw import RawSession, Trace, read_raw
from neds.signals.stretches import merged
from neds.words import counted

SessionType = TypeVar("SessionType", RawSession, AlignedSession)
SPLIT_NAMES = dict(zip(SPLITS, ("train_domain", "valid_domain", "test_domain"), strict=True))
"""As torch_brain calls the stretches of each split."""
_LONGEST_SOURCE = 2000
"""Characters: attributes of HDF5 are small."""
_CHOICES = {-1.0: 0, 1.0: 1}
"""The IBL's numbers as the layout has them."""


def export_brainsets(*, raw: Sequence[Path], output: Path, aligned: Sequence[Path] = ()) -> str:
    """Write raw session files (results/raw/*.h5) as files that torch_brain reads, one a session, called <eid>.h5.

    Args:
        raw: raw session files, of any source.
        output: folder to write to. A file of the same name in it is replaced.
        aligned: aligned files (results/aligned/*.h5) of some of these sessions: the windows of their trials become the
            stretches train_domain, valid_domain and test_domain.

    Returns:
        What was written, a line for each session.

    Raises:
        UserError: a damaged file, two files of one session, or an aligned file of none of the sessions.
    """
    splits = _by_eid(aligned, lambda path: read_aligned(path, counts_in_memory=False), option="--aligned")
    sessions = _by_eid(raw, read_raw, option="--raw")
    if strangers := splits.keys() - sessions.keys():
        raise UserError(f"--aligned: session {min(strangers)} is not among those of --raw; name its raw file too")
    lines = []
    for eid, session in sessions.items():
        data, remarks = exported(session, splits.get(eid))
        with replacing(output / f"{eid}.h5") as temporary, h5py.File(temporary, "w") as handle:
            data.to_hdf5(handle)
        told = [counted(len(session.spike_times), "spike"), counted(len(session.units), "unit")]
        told += [counted(len(session.trials), "trial"), *remarks]
        lines.append(f"{output / eid}.h5: {', '.join(told)}")
    return "\n".join(lines)


def _by_eid(paths: Sequence[Path], read: Callable[[Path], SessionType], *, option: str) -> dict[str, SessionType]:
    """The sessions in files, by EID."""
    sessions: dict[str, SessionType] = {}
    places: dict[str, Path] = {}
    for path in paths:
        session = read(path)
        if session.eid in sessions:
            raise UserError(
                f"{option}: {places[session.eid]} and {path} are both of session {session.eid}; name one of them"
            )
        sessions[session.eid], places[session.eid] = session, path
    return sessions


def exported(session: RawSession, split: AlignedSession | None = None) -> tuple[Data, list[str]]:
    """A session as torch_brain has it, and what was left out or changed.

    Args:
        split: the session cut into trials, for the stretches of its splits.
    """
    recorded_s, remarks = _recorded(session)
    domain = _interval(recorded_s)
    parts: dict[str, object] = {
        "brainset": Data(id="neds", origin_version="", derived_version=__version__, source=_source(session)),
        "subject": Data(id=session.subject),
        "session": Data(id=session.eid, recording_date=session.date),
        "lab": session.lab,
        "spikes": IrregularTimeSeries(
            timestamps=session.spike_times, unit_index=session.spike_units.astype(np.int64), domain=domain
        ),
        "units": _units(session.units),
        "domain": domain,
    }
    if len(session.trials):
        trials, dropped = _trials(session.trials)
        parts |= {} if trials is None else {"trials": trials}
        remarks += dropped
    series, changed = _series(session.traces)
    parts, remarks = parts | series, remarks + changed
    if split is not None and split.usable:
        parts |= _splits(split)
    elif split is not None:
        remarks.append(f"without splits, as it cannot be used ({split.reason})")
    return Data(**parts), remarks


def _recorded(session: RawSession) -> tuple[np.ndarray, list[str]]:
    """The stretches (m, 2) in which spikes were recorded, and a remark where that differs between units."""
    times = session.spike_times
    ends_s = (float(times[0]), float(times[-1])) if len(times) else (0.0, 0.0)
    if session.recorded is None:
        return np.array([ends_s]), []
    said_s = session.recorded.intervals_s
    # What has no end in the source ends with the spikes.
    bounded_s = np.column_stack(
        [np.where(np.isfinite(said_s[:, i]), said_s[:, i], end_s) for i, end_s in enumerate(ends_s)]
    )
    remarks = ["units that were recorded at other times than others: the file says when any was"]
    return merged(bounded_s), remarks if len(np.unique(session.recorded.of_unit)) > 1 else []


def _source(session: RawSession) -> str:
    datasets = session.provenance.get("datasets", [])
    return ", ".join(str(dataset.get("name", "")) for dataset in datasets)[:_LONGEST_SOURCE]


def _units(units: pd.DataFrame) -> ArrayDict:
    """Columns (N,) as the layout calls them, others by their own names."""
    names = BrainsetsMapping().filled().units or {}
    columns = {names.get(column, column): _plain(units[column]) for column in units.columns}
    return ArrayDict(**{("firing_rate" if name == "firing_rate_hz" else name): v for name, v in columns.items()})


def _plain(column: pd.Series) -> np.ndarray:
    return column.to_numpy(str) if column.dtype == object else column.to_numpy()


def _trials(trials: pd.DataFrame) -> tuple[Interval | None, list[str]]:
    """The table of trials by the layout's names, and remarks on those that no interval can stand for."""
    called = {raw: name for raw, name in (BrainsetsMapping().filled().trials or {}).items() if raw != "block"}
    called |= {"start_time": "start", "stop_time": "end"}
    columns = {called.get(name, name): _plain(trials[name]) for name in trials.columns}
    if not {"start", "end"} <= columns.keys():
        return None, ["left out the trials: their table has no intervals_0 and intervals_1"]
    for name, meaning in (BrainsetsMapping().filled().values or {}).items():
        if name in columns and (name == "choice" or columns[name].dtype.kind == "U"):
            columns[name] = _as_stored(columns[name], meaning, _CHOICES if name == "choice" else {})
    whole = columns["start"] <= columns["end"]
    columns = {name: values[whole] for name, values in columns.items()}
    remarks = [] if whole.all() else [f"left out {counted(int((~whole).sum()), 'trial')} without start or end"]
    times = [
        name for name, values in columns.items() if values.dtype.kind == "f" and name.endswith(("_time", "_times"))
    ]
    start, end = columns.pop("start"), columns.pop("end")
    return Interval(start=start, end=end, timekeys=["start", "end", *times], **columns), remarks


def _as_stored(column: np.ndarray, meaning: Mapping[str, object], numbers: Mapping[float, int]) -> np.ndarray:
    """Class names, or the IBL's `numbers`, as the layout's numbers (K,); unknown ones as that of "", or -1."""
    stored = {value: int(number) for number, value in meaning.items()} | dict(numbers)
    return np.array([stored.get(value, stored.get("", -1)) for value in column.tolist()])


def _series(traces: Mapping[str, Trace]) -> tuple[dict[str, object], list[str]]:
    """Traces at the layout's places, others as <name>/<name>, and remarks. A series object has one clock for all in it."""
    places = {name: tuple(place.split("/")) for name, place in (BrainsetsMapping().filled().series or {}).items()}
    places["wheel_position"] = ("wheel", "wheel_pos")
    sides = [name for name in ("left_whisker_motion_energy", "right_whisker_motion_energy") if name in traces]
    if sides:
        places[sides[0]] = ("whisker", "whisker_motion_energy")
    remarks = ["whisker motion energy of the right camera"] if sides[:1] == ["right_whisker_motion_energy"] else []
    grouped: dict[str, dict[str, Trace]] = {}
    for name, trace in traces.items():
        group, attribute = places.get(name, (name, name))
        members = grouped.setdefault(group, {})
        if any(not np.array_equal(other.times, trace.times) for other in members.values()):
            members = grouped.setdefault(attribute, {})
        members[attribute] = trace
    series: dict[str, object] = {}
    for group, members in grouped.items():
        values = {attribute: trace.values for attribute, trace in members.items()}
        if "wheel_vel" in values:
            values.setdefault("wheel_speed", np.abs(values["wheel_vel"]))
        first = next(iter(members.values()))
        observed_s = first.times[[0, -1]] if first.observed_s is None else first.observed_s
        series[group] = IrregularTimeSeries(timestamps=first.times, domain=_interval(observed_s), **values)
    return series, remarks


def _splits(session: AlignedSession) -> dict[str, object]:
    """The windows of the trials of each split, as stretches."""
    first_s = session.trials["align_time_s"].to_numpy(float) + session.window_start_s
    windows_s = np.column_stack([first_s, first_s + session.n_bins * session.bin_s])
    return {
        name: _interval(merged(windows_s[session.trials_of(split)], bridged_s=1e-6))
        for split, name in SPLIT_NAMES.items()
    }


def _interval(stretches_s: np.ndarray) -> Interval:
    stretches_s = np.asarray(stretches_s, np.float64).reshape(-1, 2)
    return Interval(start=stretches_s[:, 0].copy(), end=stretches_s[:, 1].copy())
