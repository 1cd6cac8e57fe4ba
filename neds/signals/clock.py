"""The clock of a signal or of spikes: times that are unknown or that go back. One rule for every source.

Shapes: n samples or spikes.
"""

import numpy as np

from neds.files.raw import Trace
from neds.words import counted

JITTER_S = 1e-3
"""Times that go back by no more are put in order; by more, two recordings would be mixed."""


class ClockFault(Exception):
    """Times that cannot be used; the message is the reason, to follow the name of what they are times of."""


def trace_in_order(times: np.ndarray, values: np.ndarray) -> tuple[Trace, list[str]]:
    """The samples whose time is known, and what was done to them, a clause each.

    Args:
        times: (n,) seconds.
        values: (n,) or (n, width).

    Raises:
        ClockFault: times go back by more than a millisecond.
    """
    times = np.asarray(times, np.float64)
    known = np.isfinite(times)
    remarks = []
    if n_unknown := int(np.count_nonzero(~known)):
        remarks.append(f"{n_unknown} of {counted(len(times), 'sample')} left out, without a time")
        times, values = times[known], values[known]
    steps = np.diff(times)
    if (back := steps < 0).any():
        _refuse_reset(times, steps)
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        remarks.append(
            f"{counted(int(np.count_nonzero(back)), 'sample')} out of order by up to {-steps.min() * 1e3:.3g} ms"
        )
    return Trace(times, values), remarks


def require_in_order(times: np.ndarray) -> None:
    """
    Raises:
        ClockFault: times (n,), of which unknown ones do not count, go back by more than a millisecond.
    """
    times = times[np.isfinite(times)]
    _refuse_reset(times, np.diff(times))


def spikes_in_order(times: np.ndarray, units: np.ndarray) -> tuple[np.ndarray | slice, list[str]]:
    """Which spikes to take, in the order of time, and what was left out, a clause each.

    Spikes of all units together may come in any order, those of one unit may not. A unit of -1 stands for none.

    Args:
        times: (n,) seconds.
        units: (n,) unit that fired each spike; spikes of -1 are left out.

    Returns:
        Rows of the spikes, or slice(None) where all are in order.

    Raises:
        ClockFault: the times of a unit go back by more than a millisecond.
    """
    timed, assigned = np.isfinite(times), units >= 0
    remarks = []
    for lost, what in ((~timed, "without a time"), (timed & ~assigned, "of no unit")):
        if number := int(np.count_nonzero(lost)):
            remarks.append(f"{number} of {counted(len(times), 'spike')} left out, {what}")
    rows = np.flatnonzero(timed & assigned) if remarks else slice(None)
    times, units = times[rows], units[rows]
    if not (np.diff(times) >= 0).all():
        by_unit = np.argsort(units, kind="stable")
        steps = np.where(np.diff(units[by_unit]) == 0, np.diff(times[by_unit]), 0.0)
        if steps.min(initial=0.0) < -JITTER_S:
            n_units = len(np.unique(units[by_unit][1:][steps < -JITTER_S]))
            raise ClockFault(
                f"the spike times of {counted(n_units, 'unit')} go back, by up to {-steps.min():.6g} s: the clock was "
                "reset, or units were joined; cut the recording there, or sort the times of each unit"
            )
        order = np.argsort(times, kind="stable")
        rows = order if isinstance(rows, slice) else rows[order]
    return rows, remarks


def _refuse_reset(times: np.ndarray, steps: np.ndarray) -> None:
    if steps.min(initial=0.0) < -JITTER_S:
        first = int(np.argmax(steps < -JITTER_S))
        raise ClockFault(
            f"its times go back, first from {times[first]:.6g} to {times[first + 1]:.6g} s: the clock was reset, or "
            "recordings were joined; cut it there"
        )
