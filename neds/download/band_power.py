"""Power of local field potentials in frequency bands, computed from a recording of which only pieces are ever in memory.

Shapes: n windows, C channels, G groups of neighbouring channels, m frequencies, b bands.
"""

import logging
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ibldsp.voltage import destripe_lfp
from spikeglx import Reader

from neds.download.retries import NETWORK_ERRORS
from neds.errors import UserError

_log = logging.getLogger(__name__)

MARGIN_S = 1.5
"""Beyond the outermost windows, for the edges of the filters. The power of brown noise at 3 to 10 Hz was so within 0.06 dB
(median) of that in the whole recording filtered at once; with 0.5 s it was within 0.4 dB."""
PIECE_S = 4.0
LEAST_POWER_UV2 = 1e-3
"""Far below one step of the converter; what a dead channel is given."""


def window_centres(intervals_s: np.ndarray, step_s: float) -> np.ndarray:
    """Ascending multiples of the step (n,), in seconds, that cover the intervals (K, 2), each once where these overlap."""
    first = np.floor(intervals_s[:, 0] / step_s + 1e-6).astype(int)
    last = np.ceil(intervals_s[:, 1] / step_s - 1e-6).astype(int)
    steps = [np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]
    return np.unique(np.concatenate([np.zeros(0, int), *steps])) * step_s


def band_power(
    reader: Reader,
    centres_s: np.ndarray,
    *,
    sample_at: Callable[[np.ndarray], np.ndarray],
    window_s: float,
    bands_hz: dict[str, list[float]],
    channels_per_group: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Band power in dB above 1 uV^2, float32, in windows around those of `centres_s` (n0,) that the recording covers.

    The recording is destriped as the IBL does it (Butterworth band-pass 0.5 to 300 Hz, the converters' delays undone, median
    over channels subtracted). The power in a band is that of a sinusoid there, amplitude^2 / 2: the sum of the periodogram
    of the window, without a taper, over low <= f < high. Groups have the mean of their channels' powers.

    Args:
        sample_at: from seconds of the session to samples of the recording.

    Returns:
        The centres (n,) in seconds, and values (n, G b): of each group, shallowest last, all bands in their order.

    Raises:
        UserError: a damaged recording.
    """
    length = round(window_s * reader.fs)
    starts = np.round(sample_at(centres_s)).astype(np.int64) - length // 2
    inside = (starts >= 0) & (starts + length <= reader.ns)
    centres_s, starts = centres_s[inside], starts[inside]
    waves, in_band = _waves(length, reader.fs, bands_hz)
    n_channels = reader.nc - reader.nsync
    first_channels = np.arange(0, n_channels, channels_per_group)
    n_in_group = np.diff(np.append(first_channels, n_channels))[:, None]
    power = np.empty((len(starts), len(first_channels), len(bands_hz)), np.float32)
    pieces = list(_pieces(starts, reader.fs))
    tenth = max(len(pieces) // 10, 1)
    for number, piece in enumerate(pieces, start=1):
        first = max(starts[piece][0] - round(MARGIN_S * reader.fs), 0)
        end = min(starts[piece][-1] + length + round(MARGIN_S * reader.fs), reader.ns)
        with damage_named(reader.file_bin):
            volts = reader[int(first) : int(end), :n_channels].T
        clean = destripe_lfp(
            volts, reader.fs, h=dict(reader.geometry), neuropixel_version=reader.major_version, channel_labels=None
        )
        microvolts = np.ascontiguousarray(clean, np.float32) * np.float32(1e6)
        for index in range(piece.start, piece.stop):
            at = starts[index] - first
            real, imaginary = np.split(microvolts[:, at : at + length] @ waves, 2, axis=1)
            of_channels = (real**2 + imaginary**2) @ in_band
            power[index] = np.add.reduceat(of_channels, first_channels, axis=0) / n_in_group
        if number % tenth == 0:
            _log.info("LFP power: %d of %d windows", piece.stop, len(starts))
    decibels = 10 * np.log10(np.maximum(power, np.float32(LEAST_POWER_UV2)))
    return centres_s, decibels.reshape(len(starts), len(first_channels) * len(bands_hz))


@contextmanager
def damage_named(recording: Path) -> Iterator[None]:
    """Raise UserError for what the readers within the block raise on a damaged recording."""
    try:
        yield
    except NETWORK_ERRORS:  # some of them are OSErrors
        raise
    except (OSError, EOFError, ValueError, KeyError, AssertionError, zlib.error) as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{recording}: damaged, or its .meta or .ch file is ({detail}); replace it and run again"
        ) from error


def _waves(length: int, fs: float, bands_hz: dict[str, list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines (length, 2 m) of the periodogram's frequencies in any band, and whether each lies in it (m, b).

    Frequency 0 is left out: the mean of a window is no oscillation.
    """
    spacing_hz = fs / length
    highest = max(high for _, high in bands_hz.values())
    order = np.arange(1, min(int(highest / spacing_hz) + 1, (length - 1) // 2) + 1)
    # The sampling rate of a recording is known to a few parts per million, which must move no frequency across an edge.
    frequency = order * spacing_hz + 1e-3 * spacing_hz
    in_band = [(low <= frequency) & (frequency < high) for low, high in bands_hz.values()]
    angle = 2 * np.pi * np.arange(length)[:, None] * order / length
    waves = np.hstack([np.cos(angle), np.sin(angle)]) * (np.sqrt(2) / length)
    return waves.astype(np.float32), np.array(in_band, np.float32).T


def _pieces(starts: np.ndarray, fs: float) -> Iterator[slice]:
    """Runs of windows that are read together: neighbours in time, and never more than `PIECE_S`."""
    begin = 0
    for index in range(1, len(starts) + 1):
        ends_here = index == len(starts) or starts[index] - starts[index - 1] > MARGIN_S * fs
        if ends_here or starts[index] - starts[begin] > PIECE_S * fs:
            yield slice(begin, index)
            begin = index
