"""The columns of a regression of spikes: traces around each bin by lag, values of the trial by time.

Shapes: K trials, T bins, P columns of the design.
"""

import numpy as np
from scipy.ndimage import correlate1d

from neds.baselines.inputs import standardised
from neds.files.aligned import AlignedSession

_SPACING_S, _LONGEST_LAG_S = 0.1, 0.4
"""Of the smooth functions of time and lag."""
_MOST_STD = 5.0
"""Behind which traces are cut off: what is further out would be multiplied by the exponential."""


def design(session: AlignedSession, observed: tuple[str, ...]) -> np.ndarray:
    """What the log rates are linear in, (K, T, P) float32: a constant, then what is observed; unknown values at the mean."""
    n_bins, statistics = session.n_bins, session.statistics
    constant = np.ones((n_bins, 1), np.float32)
    over_time = np.hstack([constant, bumps(np.arange(n_bins), session.bin_s, 0, n_bins - 1)])
    reach = min(round(_LONGEST_LAG_S / session.bin_s), n_bins - 1)
    kernels = bumps(np.arange(-reach, reach + 1), session.bin_s, -reach, reach)
    columns = [np.broadcast_to(constant, (session.n_trials, n_bins, 1))]
    for name in observed:
        if session.modalities[name].per_trial:
            columns += [value[:, None, None] * over_time for value in standardised(session, name).T]
        else:
            # Not bin by bin: a value would be far out wherever a bin rarely varies.
            values = (session.values[name] - statistics[name]["mean"]) / statistics[name]["std"]
            values = np.clip(np.nan_to_num(values), -_MOST_STD, _MOST_STD)
            columns += [correlate1d(values, kernel, axis=1, mode="nearest") for kernel in kernels.T]
    return np.concatenate(columns, axis=2, dtype=np.float32)


def bumps(bins: np.ndarray, bin_s: float, first: int, last: int) -> np.ndarray:
    """Raised cosines (bins, functions), `_SPACING_S` apart from the first to the last bin, where they add up to 1."""
    number = max(round((last - first) * bin_s / _SPACING_S), 1) + 1
    centres = np.linspace(first, last, number)
    phase = np.clip((bins[:, None] - centres) * (number - 1) / max(last - first, 1), -1, 1)
    return ((1 + np.cos(np.pi * phase)) / 2).astype(np.float32)
