"""Fixed windows over a recording, which take the place of trials where there are none."""

import numpy as np
import pandas as pd

from neds.partition.settings import PartitionSettings
from neds.partition.unusable import Unusable

MOST_WINDOWS = 1_000_000


def fixed_windows(spike_times: np.ndarray, settings: PartitionSettings) -> pd.DataFrame:
    """Start of each window, `align_time_s`: the first at the first spike, the last ends by the last spike.

    Args:
        spike_times: (n_spikes,) seconds, ascending, at least one.

    Raises:
        Unusable: more windows than any recording has.
    """
    length_s = settings.window_end_s - settings.window_start_s
    step_s = settings.window_step_s or length_s
    first_s, last_s = spike_times[0], spike_times[-1]
    n_windows = int(np.floor((last_s - first_s - length_s) / step_s + 1e-9)) + 1
    if n_windows > MOST_WINDOWS:
        raise Unusable(
            f"spikes from {first_s:.6g} to {last_s:.6g} s would make {n_windows} windows; one of these times cannot be right"
        )
    return pd.DataFrame({"align_time_s": first_s + step_s * np.arange(max(n_windows, 0))})
