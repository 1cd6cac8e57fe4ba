"""Speed of a wheel from its position, as the IBL's loaders compute it.

Shapes: n samples.
"""

import numpy as np

from neds.files.raw import Trace

RATE_HZ = 1000
CORNER_HZ, ORDER = 20, 8
LONGEST_UNKNOWN_S = 0.25
"""A position that is NaN for longer is unknown in between, and so is the velocity."""
LONGEST_STILL_S, STILL_RAD = 1.0, 0.1
"""An encoder gives no sample while the wheel is still; where the position has changed by more meanwhile, samples were
lost."""


class NoVelocity(Exception):
    """Positions that tell no velocity; the message says why."""


def wheel_traces(position: Trace) -> tuple[dict[str, Trace], list[str]]:
    """`wheel_position` (rad) and `wheel_velocity` (rad/s, low-pass filtered at 20 Hz) at 1 kHz, and what is unknown of them.

    Args:
        position: samples (n,) in order of time, NaN where unknown, at any rate: an encoder's samples are sparse at rest.

    Raises:
        NoVelocity: fewer than 0.1 s of positions are known, or there are several values at a time.
    """
    if position.values.size != len(position.times):
        raise NoVelocity(f"its samples have shape {position.values.shape[1:]}, not one position each")
    values = position.values.astype(np.float64).reshape(len(position.times))
    known = np.flatnonzero(np.isfinite(values))
    times, values = position.times[known], values[known]
    grid_s = np.arange(times[0], times[-1], 1 / RATE_HZ) if len(times) else np.zeros(0)
    if len(grid_s) < 0.1 * RATE_HZ:
        raise NoVelocity(f"{len(times)} known positions in less than 0.1 s")
    # It loads for most of a second, and partition has a velocity to compute only for recordings that bring none.
    from scipy.signal import butter, sosfiltfilt

    at = np.interp(grid_s, times, values)
    low_pass = butter(N=ORDER, Wn=CORNER_HZ / RATE_HZ * 2, btype="lowpass", output="sos")
    velocity = np.insert(np.diff(sosfiltfilt(low_pass, at)), 0, 0) * RATE_HZ
    gap_s = np.diff(times)
    nan = (np.diff(known) > 1) & (gap_s > LONGEST_UNKNOWN_S)
    lost = (gap_s > LONGEST_STILL_S) & (np.abs(np.diff(values)) > STILL_RAD) & ~nan
    remarks = []
    for which, why in ((nan, "is NaN"), (lost, "moved without a sample")):
        if which.any():
            remarks.append(f"the wheel's position {why} for {gap_s[which].sum():.1f} s, where it is unknown")
    for start_s, end_s in np.column_stack([times[:-1], times[1:]])[nan | lost]:
        unknown = slice(*np.searchsorted(grid_s, [start_s, end_s], side="right"))
        at[unknown] = velocity[unknown] = np.nan
    # The start of the clock is kept in full, the values as the loaders give them.
    grid_s = float(times[0]) + np.arange(len(grid_s)) / RATE_HZ
    traces = {"wheel_position": at, "wheel_velocity": velocity}
    return {name: Trace(grid_s, trace.astype(np.float32)) for name, trace in traces.items()}, remarks
