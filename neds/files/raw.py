"""The raw session file: one recording as it was loaded, on its own clocks, before any binning (docs/files.md)."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neds.files import hdf5
from neds.files.atomic import replacing

FORMAT, VERSION = "neds-raw", 1


@dataclass(frozen=True)
class Trace:
    """A behavioural signal on its own clock.

    Attributes:
        times: (n,) seconds, ascending.
        values: (n,) or (n, width).
        observed_s: (m, 2) first and last moment of the stretches in which events, whose times these are, would have been
            seen, in order and apart; None where that is not known.
    """

    times: np.ndarray
    values: np.ndarray
    observed_s: np.ndarray | None = None


@dataclass(frozen=True)
class Recorded:
    """When units were recorded, as far as the source says so.

    Attributes:
        intervals_s: (n, 2) first and last moment of each stretch, in seconds; those of a set are in order and apart.
        sets: (n,) number of the set that each stretch belongs to.
        of_unit: (N,) number of the set of each unit.
    """

    intervals_s: np.ndarray
    sets: np.ndarray
    of_unit: np.ndarray

    def of_set(self, number: int) -> np.ndarray:
        """Stretches (m, 2) of one set."""
        return self.intervals_s[self.sets == number]


@dataclass(frozen=True, kw_only=True)
class RawSession:
    """One recording session.

    Attributes:
        eid: session id.
        subject, lab, date: as in the database; `date` is YYYY-MM-DD.
        spike_times: (n_spikes,) seconds from session start, ascending.
        spike_units: (n_spikes,) row of `units` that fired each spike.
        units: one row per unit: uuid, probe, cluster_id, acronym, beryl, cosmos, depth_um, channel, label (share of
            IBL quality criteria passed, 0..1), firing_rate_hz (over the whole recording).
        trials: one row per trial with the columns of the ALF trials table (times in seconds).
        traces: `wheel_position` (rad), `wheel_velocity` (rad/s), `left_whisker_motion_energy`,
            `right_whisker_motion_energy` (a.u.); one that could not be loaded is absent.
        provenance: JSON-able record of where the data came from: datasets with revision, hash and size, versions of the
            loaders, spike sorting used per probe; "problems" (why something is absent), "remarks" (what was dropped, mended
            or guessed) and "readings" (how values of columns were read), by what they are of.
        recorded: when the units were recorded; None where the source does not say.
        intervals: (m, 2) first and last moment of the stretches of each list that the source has by a name, such as those of
            its own splits, as they stand there.
    """

    eid: str
    subject: str
    lab: str
    date: str
    spike_times: np.ndarray
    spike_units: np.ndarray
    units: pd.DataFrame
    trials: pd.DataFrame
    traces: dict[str, Trace] = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)
    recorded: Recorded | None = None
    intervals: dict[str, np.ndarray] = field(default_factory=dict)


def write_raw(path: Path, session: RawSession) -> None:
    with replacing(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(
            format=FORMAT,
            format_version=VERSION,
            eid=session.eid,
            subject=session.subject,
            lab=session.lab,
            date=session.date,
            provenance=json.dumps(session.provenance),
        )
        handle.create_dataset(
            "spikes/times", data=session.spike_times.astype(np.float64), compression="lzf", shuffle=True
        )
        handle.create_dataset(
            "spikes/units", data=session.spike_units.astype(np.int32), compression="lzf", shuffle=True
        )
        hdf5.write_table(handle, "units", session.units)
        hdf5.write_table(handle, "trials", session.trials)
        if session.recorded is not None:
            handle.create_dataset("recorded/intervals_s", data=session.recorded.intervals_s.astype(np.float64))
            handle.create_dataset("recorded/sets", data=session.recorded.sets.astype(np.int32))
            handle.create_dataset("recorded/of_unit", data=session.recorded.of_unit.astype(np.int32))
        for name, stretches_s in session.intervals.items():
            handle.create_dataset(f"intervals/{name}", data=stretches_s.astype(np.float64))
        for name, trace in session.traces.items():
            group = handle.create_group(f"traces/{name}")
            group.create_dataset("times", data=trace.times.astype(np.float64), compression="lzf", shuffle=True)
            group.create_dataset("values", data=trace.values.astype(np.float32), compression="lzf", shuffle=True)
            if trace.observed_s is not None:
                group.create_dataset("observed_s", data=trace.observed_s.astype(np.float64))


def read_raw(path: Path) -> RawSession:
    """Read a raw file whole.

    Raises:
        UserError: the file is missing, damaged, or of another format.
    """
    with hdf5.opened(path, file_format=FORMAT, version=VERSION) as handle:
        bulk = [f"spikes/{name}" for name in handle["spikes"]]
        bulk += [f"traces/{name}/values" for name in handle.get("traces", {})]
        hdf5.require_memory({name: handle[name] for name in bulk}, path)
        return RawSession(
            eid=handle.attrs["eid"],
            subject=handle.attrs["subject"],
            lab=handle.attrs["lab"],
            date=handle.attrs["date"],
            spike_times=handle["spikes/times"][:],
            spike_units=handle["spikes/units"][:],
            units=hdf5.read_table(handle["units"]),
            trials=hdf5.read_table(handle["trials"]),
            traces={
                name: Trace(**{part: group[part][:] for part in ("times", "values", "observed_s") if part in group})
                for name, group in handle.get("traces", {}).items()
            },
            provenance=json.loads(handle.attrs["provenance"]),
            recorded=Recorded(**{name: handle[f"recorded/{name}"][:] for name in ("intervals_s", "sets", "of_unit")})
            if "recorded" in handle
            else None,
            intervals=_intervals(handle["intervals"]) if "intervals" in handle else {},
        )


def _intervals(group: h5py.Group, prefix: str = "") -> dict[str, np.ndarray]:
    """Lists of stretches by their path in the group."""
    found: dict[str, np.ndarray] = {}
    for name, item in group.items():
        found |= _intervals(item, f"{prefix}{name}/") if isinstance(item, h5py.Group) else {f"{prefix}{name}": item[:]}
    return found
