"""Spike counts of trials x bins x units.

Shapes: K trials, T bins, N units, n spikes.
"""

from dataclasses import dataclass

import numpy as np

from neds.partition.settings import PartitionSettings

_TRIALS_AT_ONCE = 50


def bin_edges(align_times: np.ndarray, settings: PartitionSettings) -> np.ndarray:
    """Edges (K, T + 1) in seconds of the bins around `align_times` (K,)."""
    return align_times[:, None] + settings.window_start_s + settings.bin_s * np.arange(settings.n_bins + 1)


@dataclass(frozen=True)
class WindowedSpikes:
    """The spikes inside the windows of K trials; one that lies in two windows stands here twice.

    Attributes:
        cells: (n,) trial * T + bin of each spike, ascending.
        units: (n,) unit of each spike.
        shape: (K, T).
    """

    cells: np.ndarray
    units: np.ndarray
    shape: tuple[int, int]

    def mean_rates_hz(self, trials: np.ndarray, n_units: int, bin_s: float) -> np.ndarray:
        """Mean rate (n_units,) in the windows of the trials in the mask `trials` (K,)."""
        inside = np.repeat(trials, self.shape[1])[self.cells]
        return np.bincount(self.units[inside], minlength=n_units) / (trials.sum() * self.shape[1] * bin_s)

    def of_all_units(self) -> np.ndarray:
        """Counts (K, T) of all units together."""
        return np.bincount(self.cells, minlength=self.shape[0] * self.shape[1]).reshape(self.shape)

    def counts(self, kept: np.ndarray) -> np.ndarray:
        """Counts (K, T, N) of the N units in the mask `kept`, in the smallest of uint8 and uint16."""
        column = np.cumsum(kept) - 1
        n_trials, n_bins = self.shape
        n_kept = int(kept.sum())
        counts = np.zeros((n_trials, n_bins, n_kept), np.uint8)
        # By groups of trials, because the places of all spikes take several times the memory of their counts.
        for first in range(0, n_trials, _TRIALS_AT_ONCE):
            n_cells = min(_TRIALS_AT_ONCE, n_trials - first) * n_bins
            spikes = slice(*np.searchsorted(self.cells, [first * n_bins, first * n_bins + n_cells]))
            units = self.units[spikes]
            inside = kept[units]
            places = (self.cells[spikes][inside] - first * n_bins).astype(np.int64) * n_kept + column[units[inside]]
            group = np.zeros(n_cells * n_kept, np.uint16)
            np.add.at(group, places, np.uint16(1))
            if group.max(initial=0) > np.iinfo(counts.dtype).max:
                counts = counts.astype(np.uint16)
            counts[first : first + _TRIALS_AT_ONCE] = group.reshape(-1, n_bins, n_kept)
        return counts


def spikes_in_windows(spike_times: np.ndarray, spike_units: np.ndarray, edges: np.ndarray) -> WindowedSpikes:
    """Find the spikes with edges[k, t] <= time < edges[k, t + 1].

    Args:
        spike_times: (n_spikes,) seconds, ascending.
        spike_units: (n_spikes,) unit of each spike.
        edges: (K, T + 1) seconds; windows of different trials may overlap and stand in any order.
    """
    n_trials, n_bins = edges.shape[0], edges.shape[1] - 1
    position = np.searchsorted(spike_times, edges)
    per_bin = np.diff(position, axis=1).ravel()
    # 32 bits hold the number of any bin and spike of a recording.
    cells = np.repeat(np.arange(n_trials * n_bins, dtype=np.int32), per_bin)
    first_in_output = np.cumsum(per_bin) - per_bin
    spikes = np.arange(len(cells), dtype=np.int32)
    spikes += np.repeat((position[:, :-1].ravel() - first_in_output).astype(np.int32), per_bin)
    return WindowedSpikes(cells=cells, units=spike_units[spikes], shape=(n_trials, n_bins))


def smallest_counts(counts: np.ndarray) -> np.ndarray:
    """Non-negative integers up to 65535 as uint8 where they fit, else as uint16."""
    return counts.astype(np.uint8 if counts.max(initial=0) <= np.iinfo(np.uint8).max else np.uint16)
