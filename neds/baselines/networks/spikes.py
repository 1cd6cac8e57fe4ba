"""Spike times of a session's kept units, cut to its trials by torch_brain.

Shapes: K trials, T bins, N units.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch_brain.data import ArrayDict, Data, IrregularTimeSeries

from neds.baselines.networks.targets import READ
from neds.errors import UserError
from neds.files.aligned import AlignedSession
from neds.files.raw import read_raw

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spikes:
    """Spikes of one session.

    Attributes:
        data: torch_brain's Data: spikes (timestamps, unit_index), units (id), session (id).
        starts_s: (K,) first moment of each trial's window, on the clock of the spikes.
        window_s: length of the window.
    """

    eid: str
    data: Data
    starts_s: np.ndarray
    window_s: float

    def of_trial(self, trial: int) -> Data:
        """The trial's Data, in which the window starts at 0 s."""
        return self.data.slice(self.starts_s[trial], self.starts_s[trial] + self.window_s)


def spikes_of(session: AlignedSession, raw: Sequence[Path]) -> Spikes:
    """Spike times from the session's raw file; without one, the centres of the bins that the spikes are in, and a warning.

    Args:
        raw: raw files, of any sessions, called by their EIDs.

    Raises:
        UserError: a raw file without one of the session's units.
    """
    path = next((path for path in raw if path.stem == session.eid), None)
    times_s, units, starts_s = _recorded(session, path) if path else _of_bins(session)
    spikes = IrregularTimeSeries(timestamps=times_s, unit_index=units, domain="auto")
    ids = np.array([f"{session.eid}/{unit}" for unit in range(session.n_units)])
    data = Data(spikes=spikes, units=ArrayDict(id=ids), session=Data(id=session.eid), domain="auto")
    return Spikes(session.eid, data, starts_s, session.n_bins * session.bin_s)


def _recorded(session: AlignedSession, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    raw = read_raw(path)
    rows = {uuid: row for row, uuid in enumerate(session.units["uuid"])}
    kept = raw.units["uuid"].map(rows).fillna(-1).to_numpy(int)
    if (kept >= 0).sum() != session.n_units:
        raise UserError(f"{path}: lacks units of session {session.eid}; make its aligned file again")
    units = kept[raw.spike_units]
    starts_s = session.trials["align_time_s"].to_numpy(float) + session.window_start_s
    return raw.spike_times[units >= 0], units[units >= 0], starts_s


def _of_bins(session: AlignedSession) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    log.warning("session %s has no spike times: spikes are taken to be in the middle of their bins", session.eid)
    window_s = session.n_bins * session.bin_s
    # Windows of a clock of their own, far enough apart that none touches another.
    starts_s = 2 * window_s * np.arange(session.n_trials)
    counts = np.asarray(session.values[READ][np.arange(session.n_trials)])
    trial, bin_index, unit = np.nonzero(counts)
    times_s = starts_s[trial] + (bin_index + 0.5) * session.bin_s
    n_spikes = counts[trial, bin_index, unit]
    return np.repeat(times_s, n_spikes), np.repeat(unit, n_spikes), starts_s
