"""A file of BrainWideBench: its units and spikes, and of the first suite which trials are scored, and their true values.

Shapes: K scored trials, m stretches, n samples, N units.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import h5py
import numpy as np

from neds.benchmark.protocol import BIN_S, N_BINS, SELECTED, TEST_DOMAIN, UNIT_FILTERING, Task, evaluation_sessions
from neds.conversion.session_file import SessionFile
from neds.errors import UserError
from neds.files import hdf5
from neds.signals.stretches import meets, merged

_CLOCK_S = 1e-9
"""As torch_brain rounds times to samples."""


@dataclass(frozen=True)
class Scored:
    """The trials of a task that are scored.

    Attributes:
        trial_id: (K,) int64, row of each in the file's trials.
        start_s: (K,) first moment of its window.
        values: (K, 1) class indices, or (K, 50, 1) values as they are scored; float32.
        known: (K, 50) which of these count; None where all do.
        timestamps: (K, 50) float32 times of the samples from the beginning of the window on; None for a value per trial.
        mean, std: of a trace that is z-scored; else 0 and 1.
    """

    trial_id: np.ndarray
    start_s: np.ndarray
    values: np.ndarray
    known: np.ndarray | None = None
    timestamps: np.ndarray | None = None
    mean: float = 0.0
    std: float = 1.0


class Recording:
    """An open file of the benchmark. Every reading raises UserError for a file that lacks what the benchmark's have."""

    def __init__(self, path: SessionFile, handle: h5py.File) -> None:
        self._path, self._handle = path, handle
        described = self._at("brainset").attrs
        self.unit_filtering = str(described.get("unit_filtering", ""))
        self.dataset_version = str(described.get("derived_version", ""))
        if self.unit_filtering not in UNIT_FILTERING:
            raise UserError(
                f"{path}: says no unit_filtering of {', '.join(UNIT_FILTERING)}; it is no file of BrainWideBench"
            )

    def scored(self, task: Task) -> Scored:
        """The trials of a task that are scored, in the order of their numbers."""
        trial_id = self.array(f"{task.interval}/trial_index").astype(np.int64)
        windows_s = self.stretches(task.interval)
        chosen = meets(windows_s, merged(self.stretches(TEST_DOMAIN)))
        if task.series:
            chosen &= meets(windows_s, merged(self.stretches(f"{task.series}/domain")))
            return self._of_series(task, trial_id[chosen], windows_s[chosen, 0])
        values = self.array(task.values)[chosen].astype(np.float32)[:, None]
        return Scored(trial_id[chosen], windows_s[chosen, 0], values)

    def _of_series(self, task: Task, trial_id: np.ndarray, start_s: np.ndarray) -> Scored:
        group = self._at(task.series)
        rate_hz, first_s = float(group.attrs["sampling_rate"]), self.stretches(f"{task.series}/domain")[0, 0]
        if abs(rate_hz * BIN_S - 1) > _CLOCK_S:
            raise UserError(f"{self._path}: {task.series} has {rate_hz:g} samples per second, the benchmark's have 50")
        series = self.array(task.values)
        place = (start_s - first_s) * rate_hz
        first = np.where(np.abs(place - np.round(place)) < _CLOCK_S, np.round(place), np.ceil(place)).astype(int)
        rows = first[:, None] + np.arange(N_BINS)
        # Of a window that the series covers in part there is nothing of the shape that is scored.
        whole = (first >= 0) & (rows[:, -1] < len(series))
        known = self.array(task.known).astype(bool)[rows.clip(0, len(series) - 1)] if task.known else None
        if known is not None:
            whole &= known.any(axis=1)
        rows, start_s = rows[whole], start_s[whole]
        mean, std = self._normalisation(task)
        values = series[rows].astype(np.float64)
        values = np.round(values / rate_hz) if task.kind == "log_counts" else (values - mean) / std
        return Scored(
            trial_id[whole],
            start_s,
            values.astype(np.float32)[..., None],
            known[whole] if known is not None else None,
            (first_s + rows / rate_hz - start_s[:, None]).astype(np.float32),
            mean,
            std,
        )

    def _normalisation(self, task: Task) -> tuple[float, float]:
        if not task.normalised:
            return 0.0, 1.0
        group = self._at(task.normalised)
        found = [group.attrs.get(name, group.get(name)) for name in ("mean", "std")]
        if any(value is None for value in found):
            raise UserError(f"{self._path}: {task.normalised} has no mean and std")
        mean, std = (float(np.asarray(value[()] if isinstance(value, h5py.Dataset) else value)) for value in found)
        return mean, std

    def spikes(self) -> tuple[np.ndarray, np.ndarray]:
        """Seconds (n,), ascending, and unit (n,) of each spike that is of one."""
        times_s, units = self.array("spikes/timestamps").astype(np.float64), self.array("spikes/unit_index")
        if not np.isfinite(times_s).all() or (units >= self.n_units).any():
            raise UserError(
                f"{self._path}: spikes have times that are no numbers, or units that units/id does not have"
            )
        order = np.argsort(times_s, kind="stable")
        order = order[units[order] >= 0]
        return times_s[order], units[order]

    @property
    def n_units(self) -> int:
        return len(self._at("units/id"))

    def numbers_of_units(self, column: str) -> np.ndarray:
        """A column (N,) of the unit table."""
        return self._column(column, "biuf", "numbers")

    def texts_of_units(self, column: str) -> np.ndarray:
        """A column (N,) of the unit table."""
        values = self._column(column, "SO", "text")
        return np.array([value.decode() if isinstance(value, bytes) else str(value) for value in values], str)

    def marked_units(self, column: str) -> np.ndarray:
        """Rows (n,) of the units for which a column of the unit table is true."""
        values = self._column(column, "biu", "truth values")
        if not np.isin(values, (0, 1)).all() or not values.any():
            raise UserError(f"{self._path}: units/{column} must be true or false, and true for a unit")
        return np.flatnonzero(values)

    def _column(self, column: str, kinds: str, what: str) -> np.ndarray:
        values = self.array(f"units/{column}")
        if values.shape != (self.n_units,) or values.dtype.kind not in kinds:
            raise UserError(
                f"{self._path}: units/{column} must be {what}, one for each of the {self.n_units} units; it is "
                f"{values.dtype} of shape {values.shape}"
            )
        return values

    def refuse_other(self, eid: str) -> None:
        """
        Args:
            eid: of the recording that the file should be.

        Raises:
            UserError: the file says that it is another recording, which the benchmark evaluates.
        """
        session = self._handle.get("session")
        own = str(session.attrs.get("id", "")).lower() if session is not None else ""
        if own in evaluation_sessions() and own != eid.lower():
            raise UserError(f"{self._path}: is of session {own}, which the sheet calls {eid}; correct eid or path")

    def header(self) -> dict[str, str]:
        """What the files of a submission say of the build."""
        return {"unit_filtering": self.unit_filtering, "dataset_version": self.dataset_version}

    def require_selected(self) -> None:
        """
        Raises:
            UserError: it is of another build than the one that the second and the third suite take.
        """
        if self.unit_filtering != SELECTED:
            raise UserError(
                f"{self._path}: is of the build {self.unit_filtering}; co-smoothing, forecasting and regions are scored on "
                f"the build {SELECTED}, so list its files in the sessions sheet"
            )

    def stretches(self, place: str) -> np.ndarray:
        """First and last moment (m, 2) of each stretch, in seconds."""
        return np.column_stack([self.array(f"{place}/{end}").astype(np.float64) for end in ("start", "end")])

    def array(self, place: str) -> np.ndarray:
        return self._at(place)[:]

    def _at(self, place: str) -> h5py.Group:
        if place not in self._handle:
            raise UserError(
                f"{self._path}: the file has no {place}; is it one of BrainWideBench's, and in its own folder?"
            )
        return self._handle[place]


@contextmanager
def opened(path: SessionFile) -> Iterator[Recording]:
    """Open a file of the benchmark for as long as the block runs.

    Raises:
        UserError: it is damaged, or none of the benchmark's.
    """
    try:
        handle = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path}: damaged, or no HDF5 file ({' '.join(str(error).split())})") from None
    with handle:
        hdf5.refuse_foreign(handle, path)
        try:
            yield Recording(path, handle)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(f"{path}: no whole file of BrainWideBench ({' '.join(str(error).split())})") from None
