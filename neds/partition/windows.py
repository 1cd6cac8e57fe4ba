"""Fixed windows over a recording, which take the place of trials where there are none.

Shapes: m stretches.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from neds.partition.settings import PartitionSettings
from neds.partition.unusable import Unusable

MOST_WINDOWS = 1_000_000


def window_stretches(
    spike_times: np.ndarray, intervals: Mapping[str, np.ndarray], settings: PartitionSettings
) -> np.ndarray:
    """Stretches (m, 2) in which windows lie, in order: those that the source's file has, or from first to last spike.

    Args:
        spike_times: (n_spikes,) seconds, ascending, at least one.
        intervals: (m, 2) stretches that the file has by a name.

    Raises:
        Unusable: it has none of the names.
    """
    names = settings.window_intervals
    if not names:
        return spike_times[[0, -1]][None]
    there = next((name for name in names if name in intervals), None)
    if there is None:
        listed = ", ".join(intervals) or "none"
        raise Unusable(f"the file has no stretches {' or '.join(names)} for windows; it has {listed}")
    return intervals[there][np.argsort(intervals[there][:, 0], kind="stable")]


def fixed_windows(stretches_s: np.ndarray, settings: PartitionSettings) -> pd.DataFrame:
    """Start of each window, `align_time_s`: the first at the start of each stretch (m, 2), the last ends by its end.

    Raises:
        Unusable: more windows than any recording has.
    """
    length_s = settings.window_end_s - settings.window_start_s
    step_s = settings.window_step_s or length_s
    lasted_s = stretches_s[:, 1] - stretches_s[:, 0]
    n_windows = np.maximum(np.floor((lasted_s - length_s) / step_s + 1e-9) + 1, 0)
    if n_windows.sum() > MOST_WINDOWS:
        raise Unusable(
            f"spikes from {stretches_s.min():.6g} to {stretches_s.max():.6g} s would make {n_windows.sum():.0f} windows; "
            "one of these times cannot be right"
        )
    n_windows = n_windows.astype(int)
    number = np.arange(n_windows.sum()) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
    return pd.DataFrame({"align_time_s": np.repeat(stretches_s[:, 0], n_windows) + step_s * number})
