"""The windows of the benchmark's second suite: where they begin, and the spikes in them.

They overlap by all but one bin, so that their counts together would take fifty times the memory of those of the bins that
they lie on. Shapes: W windows, M bins, m stretches, N units.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch

from neds.benchmark.protocol import BIN_S, N_BINS, UNIT_TEST_DOMAIN, UNIT_WINDOWS, WINDOW_S
from neds.benchmark.recording import Recording
from neds.partition.binning import smallest_counts
from neds.signals.stretches import intersection

log = logging.getLogger(__name__)

_USUAL = ("AVX2", "AVX512")


@dataclass(frozen=True)
class Windows:
    """The windows of a recording that are scored.

    Attributes:
        start_s: (W,) as the benchmark has them, to the last bit.
        counts: (M, N) spikes in bins, of which every window covers `N_BINS` that follow one another.
        first: (W,) its first bin.
    """

    start_s: np.ndarray
    counts: np.ndarray
    first: np.ndarray

    def of(self, rows: slice, *, units: np.ndarray, last_bins: int = N_BINS) -> np.ndarray:
        """Counts (k, last_bins, n) of some windows and units (n,), in the last bins of the window."""
        bins = self.first[rows, None] + np.arange(N_BINS - last_bins, N_BINS)
        return self.counts[:, units][bins]


def scored_windows(recording: Recording) -> Windows:
    """The windows that are scored: one every bin in what is both test domain and part of a trial.

    Raises:
        ValueError: such a stretch is shorter than a window, of which the benchmark makes nothing either.
    """
    if (capability := torch.backends.cpu.get_cpu_capability()) not in _USUAL:
        log.warning(
            "this processor computes as %s, which gives some starts of windows another last bit than %s, so that the "
            "benchmark may refuse them; make the submission on such a one",
            *(capability, " and ".join(_USUAL)),
        )
    stretches_s = intersection(recording.stretches(UNIT_WINDOWS), recording.stretches(UNIT_TEST_DOMAIN))
    times_s, units = recording.spikes()
    starts, counts, first = [], [], []
    n_bins = 0
    for begin_s, end_s in stretches_s:
        on_grid, at_end = _starts(begin_s, end_s)
        # The last window, which ends with the stretch, may lie off the grid of the others.
        for own in filter(len, (on_grid, at_end)):
            starts.append(own)
            first.append(n_bins + np.arange(len(own)))
            binned = _binned(times_s, units, own[0], len(own) + N_BINS - 1, recording.n_units)
            counts.append(smallest_counts(binned))
            n_bins += len(binned)
    if not starts:
        raise ValueError(f"nothing of {UNIT_WINDOWS} lies in {UNIT_TEST_DOMAIN}")
    return Windows(np.concatenate(starts), np.concatenate(counts), np.concatenate(first))


def _starts(begin_s: float, end_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Starts of the windows in a stretch, and of one more at its end where it is not covered.

    They are those of torch_brain's SequentialFixedWindowSampler, whose floats the scorer compares bit by bit: by
    `torch.arange`, which rounds otherwise than a product of number and step does.
    """
    if end_s - begin_s < WINDOW_S:
        raise ValueError(f"the stretch {begin_s} to {end_s} s is shorter than a window")
    starts = torch.arange(begin_s, end_s, BIN_S, dtype=torch.float64).numpy()
    starts = starts[starts + WINDOW_S <= end_s]
    at_end = [end_s - WINDOW_S] if starts[-1] + WINDOW_S < end_s else []
    return starts, np.array(at_end)


def _binned(times_s: np.ndarray, units: np.ndarray, start_s: float, n_bins: int, n_units: int) -> np.ndarray:
    """Spikes (n_bins, n_units) in bins from a moment on."""
    first, last = np.searchsorted(times_s, [start_s, start_s + (n_bins + 1) * BIN_S])
    # By a product, as the benchmark bins: a quotient can differ by rounding at a bin's edge.
    bins = np.floor((times_s[first:last] - start_s) * round(1 / BIN_S)).astype(np.int64)
    inside = bins < n_bins
    places = bins[inside] * n_units + units[first:last][inside]
    return np.bincount(places, minlength=n_bins * n_units).reshape(n_bins, n_units)
