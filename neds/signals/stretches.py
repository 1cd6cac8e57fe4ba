"""Stretches of time: rows of first and last moment, in seconds.

Shapes: m stretches, n samples, K spans.
"""

import numpy as np

_CLOCK_S = 1e-6


def merged(stretches: np.ndarray, *, bridged_s: float = 0.0) -> np.ndarray:
    """Stretches (m, 2) in order, with those that overlap, or are no more than `bridged_s` apart, as one; those that hold no
    time are left out.
    """
    stretches = np.asarray(stretches, np.float64).reshape(-1, 2)
    stretches = stretches[stretches[:, 1] > stretches[:, 0]]
    stretches = stretches[np.argsort(stretches[:, 0], kind="stable")]
    if not len(stretches):
        return stretches
    reached = np.maximum.accumulate(stretches[:, 1])
    starts = np.concatenate([[True], stretches[1:, 0] > reached[:-1] + bridged_s])
    ends = np.concatenate([np.flatnonzero(starts)[1:] - 1, [len(stretches) - 1]])
    return np.column_stack([stretches[starts, 0], reached[ends]])


def sampled(times: np.ndarray) -> np.ndarray:
    """Stretches (m, 2) in which samples at `times` (n,) came without a gap of more than three usual intervals."""
    times = np.sort(times[np.isfinite(times)])
    if len(times) < 2:
        return np.zeros((0, 2))
    steps = np.diff(times)
    last = np.append(np.flatnonzero(steps > 3 * np.median(steps)), len(times) - 1)
    return np.column_stack([times[np.append(0, last[:-1] + 1)], times[last]])


def inside(spans_s: np.ndarray, stretches: np.ndarray) -> np.ndarray:
    """Whether each span (K, 2) lies within one of the stretches (m, 2), which are in order and apart."""
    if not len(stretches):
        return np.zeros(len(spans_s), bool)
    row = np.searchsorted(stretches[:, 0], spans_s[:, 0] + _CLOCK_S, side="right") - 1
    return (row >= 0) & (spans_s[:, 1] <= stretches[row.clip(min=0), 1] + _CLOCK_S)


def meets(spans_s: np.ndarray, stretches: np.ndarray) -> np.ndarray:
    """Whether each span (K, 2) shares more than a microsecond, which rounding may make, with one of the stretches (m, 2),
    which are in order and apart.
    """
    if not len(stretches):
        return np.zeros(len(spans_s), bool)
    row = np.searchsorted(stretches[:, 1], spans_s[:, 0] + _CLOCK_S, side="right")
    return (row < len(stretches)) & (stretches[row.clip(max=len(stretches) - 1), 0] < spans_s[:, 1] - _CLOCK_S)


def intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Stretches (m, 2) common to two lists of them, each in order and without overlap; their ends are ends of the two."""
    starts = np.maximum(first[:, None, 0], second[None, :, 0]).ravel()
    ends = np.minimum(first[:, None, 1], second[None, :, 1]).ravel()
    common = np.column_stack([starts, ends])[ends > starts]
    return common[np.argsort(common[:, 0])]


def unbounded(stretches: np.ndarray, first_s: float, last_s: float) -> np.ndarray:
    """Without ends that are the first or the last event itself: these say no more than the events do."""
    stretches = stretches.copy()
    if len(stretches):
        if abs(stretches[0, 0] - first_s) < _CLOCK_S:
            stretches[0, 0] = -np.inf
        if abs(stretches[-1, 1] - last_s) < _CLOCK_S:
            stretches[-1, 1] = np.inf
    return stretches
