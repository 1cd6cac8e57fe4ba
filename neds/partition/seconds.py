"""Whether times and durations are in seconds: other units, milliseconds above all, are told by sizes that no recording has.

Shapes: n times.
"""

import numpy as np

from neds.partition.settings import LONGEST_BIN_S, LONGEST_WINDOW_S

LONGEST_INTERVAL_S = 1000.0
"""Usual time from trial to trial."""
SLOWEST_HZ = 0.1
"""Some unit of every recording fires faster."""
FEWEST_SPIKES = 100
"""Of fewer, the rate says nothing."""
FEWEST_TIMES = 20
"""Of fewer, the first and the last say nothing of a clock: events may be rare."""
_UNITS = {1e3: "milliseconds", 1e6: "microseconds", 3e4: "samples"}
_APART, _TOGETHER = 0.02, 0.5
"""Share of all time that two clocks have in common, below which they differ, and above which they agree."""


def bins_fault(bin_s: float, n_bins: int, start_s: float) -> str:
    """Why bins cannot be of seconds, in a sentence; empty where they can.

    Args:
        start_s: when the first begins, relative to the event.
    """
    window_s = n_bins * bin_s
    if bin_s > LONGEST_BIN_S:
        return f"bin_s {bin_s:g} is in seconds; write {bin_s / 1000:g} for {bin_s:g} ms"
    if window_s > LONGEST_WINDOW_S:
        return (
            f"{n_bins} bins of {bin_s:g} s are {window_s:g} s; bin_s is in seconds, {bin_s / 1000:g} for {bin_s:g} ms"
        )
    if abs(start_s) > LONGEST_WINDOW_S:
        return f"t0_s {start_s:g} is in seconds, far from the event; write {start_s / 1000:g} for {start_s:g} ms"
    return ""


def intervals_fault(times_s: np.ndarray) -> str:
    """Why times (n,) of trials cannot be of seconds; empty where they can."""
    known = np.sort(times_s[np.isfinite(times_s)])
    usual_s = float(np.median(np.diff(known))) if len(known) > 1 else 0.0
    if usual_s <= LONGEST_INTERVAL_S:
        return ""
    return f"trials would be {usual_s:g} s apart, so these are no seconds; divide milliseconds by 1000"


def bulk(times: np.ndarray) -> tuple[float, float]:
    """Between which times, ascending, all but a hundredth at either end lie: single ones may be wrong."""
    return float(times[len(times) // 100]), float(times[-1 - len(times) // 100])


def rate_fault(n_spikes: np.ndarray, duration_s: float) -> str:
    """Why the spikes of units (N,) cannot be timed in seconds; empty where they can.

    Args:
        duration_s: of what was recorded.
    """
    if (
        not len(n_spikes)
        or n_spikes.sum() < FEWEST_SPIKES
        or duration_s <= 0
        or n_spikes.max() / duration_s >= SLOWEST_HZ
    ):
        return ""
    return (
        f"no unit fires more than {n_spikes.max() / duration_s:.2g} times a second, so spikes are not timed in seconds; "
        "divide milliseconds by 1000"
    )


def clock_fault(what: str, times: np.ndarray, spike_times: np.ndarray) -> str:
    """Why times (n,) cannot be on the clock of the spikes (n,), ascending; empty where they can.

    That is said where they have hardly any time in common as they are, and most of it in another unit.

    Args:
        what: they are of, in the plural.
    """
    known = times[np.isfinite(times)]
    if len(known) < FEWEST_TIMES or len(spike_times) < 2:
        return ""
    own, spikes = (float(known.min()), float(known.max())), bulk(spike_times)
    if _common(own, spikes, 1.0, 1.0) >= _APART:
        return ""
    for factor, unit in _UNITS.items():
        for scale, other, subject in ((factor, 1.0, what), (1.0, factor, "spikes")):
            if _common(own, spikes, scale, other) > _TOGETHER:
                return (
                    f"{what} go from {own[0]:.6g} to {own[1]:.6g} s and spikes from {spikes[0]:.6g} to {spikes[1]:.6g} s: "
                    f"the times of {subject} look like {unit}; give seconds"
                )
    return ""


def _common(first: tuple[float, float], second: tuple[float, float], scale: float, other: float) -> float:
    """Share of the time of either span that is of both, times divided by the scale of each."""
    a, b, c, d = first[0] / scale, first[1] / scale, second[0] / other, second[1] / other
    return max(min(b, d) - max(a, c), 0.0) / max(max(b, d) - min(a, c), 1e-12)
