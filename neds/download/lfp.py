"""Local field potentials of one session: their power in frequency bands around the trials, never the whole recording."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import spikeglx
from one.alf.path import ALFPath
from scipy.interpolate import interp1d

from neds.download.band_power import band_power, damage_named, window_centres
from neds.download.remote_file import RemoteFile
from neds.download.session_files import SessionFiles, Unavailable
from neds.download.settings import LfpSettings
from neds.download.streamed import StreamedReader
from neds.errors import UserError
from neds.files.raw import Trace

log = logging.getLogger(__name__)
AP_SAMPLES = 12
"""Samples of the spike band in one of the LFP band, of Neuropixels 1.0 probes; the clock counts the former."""
_SUFFIXES = ((".lf.cbin", ".lf.ch", ".lf.meta", ".timestamps.npy"), (".lf.bin", ".lf.meta", ".timestamps.npy"))


@dataclass(frozen=True)
class Recording:
    """An LFP recording that was found: its files, of which the last is its clock, and itself where it is read in parts."""

    files: list[ALFPath]
    remote: RemoteFile | None

    def opened(self, files: SessionFiles) -> tuple[spikeglx.Reader, ALFPath]:
        """The recording, ready to be read, and the path of its clock."""
        files.use(self.files)
        *_, timestamps = self.files
        if self.remote:
            with damage_named(Path(self.remote.name)):
                return StreamedReader(self.remote), timestamps
        with damage_named(self.files[0]):
            return spikeglx.Reader(self.files[0]), timestamps


def find_lfp(files: SessionFiles, probe: str) -> Recording:
    """The LFP recording of a probe.

    Raises:
        Unavailable: there is none, or no clock of it.
    """
    folder = f"raw_ephys_data/{probe}/"
    there = [path for path in files.available() if path.startswith(folder)]
    for suffixes in _SUFFIXES:
        found = {suffix: [path for path in there if path.endswith(suffix)] for suffix in suffixes}
        if not found[suffixes[0]]:
            continue
        for suffix, paths in found.items():
            if len(paths) != 1:
                raise Unavailable(f"{folder} has {len(paths)} files *{suffix} beside its LFP recording, not one")
        recording, *companions = [path for (path,) in found.values()]
        # What is not compressed has no chunks that could be verified one by one.
        remote = files.remote_file(recording) if suffixes[0].endswith(".cbin") else None
        return Recording(files.find_paths(companions if remote else [recording, *companions]), remote)
    raise Unavailable(f"the session has no LFP recording ({folder}*.lf.cbin or .lf.bin)")


def load_lfp(files: SessionFiles, probe: str, trials: pd.DataFrame, settings: LfpSettings) -> Trace:
    """Band power of one probe, (n, groups of channels x bands) in dB, at multiples of the step around the trials.

    Raises:
        Unavailable: no LFP recording of the probe, or no clock of it.
        UserError: a damaged file, or settings left to `partition` that nobody filled in.
    """
    unset = [key for key, value in settings.model_dump().items() if value is None]
    if unset:
        raise UserError(f"download.lfp.{unset[0]}: is not set; give a value where `partition` gives none")
    assert settings.step_s is not None
    reader, timestamps = find_lfp(files, probe).opened(files)
    clock = np.load(timestamps, allow_pickle=False)
    sample_at = interp1d(clock[:, 1], clock[:, 0] / AP_SAMPLES, fill_value="extrapolate")
    with reader:
        end_s = float(np.interp(reader.ns * AP_SAMPLES, clock[:, 0], clock[:, 1]))
        centres_s = window_centres(_intervals(trials, settings, end_s), settings.step_s)
        log.info("%s: LFP power in %d windows of %g s", probe, len(centres_s), settings.window_s)
        times, values = band_power(
            reader,
            centres_s,
            sample_at=sample_at,
            window_s=settings.window_s,
            bands_hz=settings.bands_hz,
            channels_per_group=settings.channels_per_group,
        )
    if isinstance(reader, StreamedReader):
        log.info("%s: %s", probe, reader.account())
    if not len(times):
        raise Unavailable("the LFP recording covers no trial")
    return Trace(times, values)


def merged(probes: dict[str, Trace]) -> Trace:
    """The values of all probes side by side, at the times that all have."""
    first, *others = probes.values()
    times = first.times
    for other in others:
        times = np.intersect1d(times, other.times, assume_unique=True)
    rows = [np.searchsorted(trace.times, times) for trace in probes.values()]
    return Trace(times, np.hstack([trace.values[row] for trace, row in zip(probes.values(), rows, strict=True)]))


def _intervals(trials: pd.DataFrame, settings: LfpSettings, end_s: float) -> np.ndarray:
    """Start and end (K, 2) of what trials need, in seconds; the whole recording where there are none."""
    if settings.event == "none":
        return np.array([[0.0, end_s]])
    if settings.event not in trials:
        raise Unavailable(f"trials table without column {settings.event}")
    times_s = trials[settings.event].dropna().to_numpy()
    return times_s[:, None] + [settings.start_s, settings.end_s]
