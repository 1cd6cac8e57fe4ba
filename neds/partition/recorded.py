"""Where spikes were recorded: what the source says, less what the spikes' own silence says.

Shapes: K trials or windows, N units in the recording, G groups of units that were recorded together.
"""

from dataclasses import dataclass

import numpy as np

from neds.files.raw import RawSession
from neds.partition.seconds import bulk
from neds.partition.settings import PartitionSettings
from neds.signals.stretches import inside, intersection, merged, unbounded
from neds.words import counted

_NEIGHBOURS = 20
_TIMES_TYPICAL = 20.0
"""A silence is no rest of the neurons when it is so many times the mean interval of the spikes around it."""
_FEWEST_UNITS = 5
_ALWAYS = np.array([[-np.inf, np.inf]])


@dataclass(frozen=True)
class Coverage:
    """Which windows lie wholly in what was recorded.

    Attributes:
        of_group: (K, G) whether the group was recorded throughout the window.
        groups: (N,) group of each unit.
        remarks: the silences that were taken for gaps in the recording, a line for each probe.
    """

    of_group: np.ndarray
    groups: np.ndarray
    remarks: list[str]


def coverage(raw: RawSession, spans_s: np.ndarray, settings: PartitionSettings) -> Coverage:
    """Find which windows each unit was recorded in.

    A unit was recorded where the source says so, and where the source says nothing, always; but not in a silence of all
    units of its probe (`heard`), nor before their first spike and after their last. Of a probe of fewer than five units
    the silence of all units of the session counts: single neurons may well be silent for minutes.

    Args:
        spans_s: (K, 2) first and last moment of each window, in seconds.
    """
    probes, of_probe = np.unique(raw.units["probe"].astype(str), return_inverse=True)
    sets = np.zeros(len(of_probe), int) if raw.recorded is None else raw.recorded.of_unit
    pairs, groups = np.unique(np.column_stack([of_probe, sets]), axis=0, return_inverse=True)
    groups = groups.reshape(-1)
    probe_of_spike = of_probe.astype(np.int16)[raw.spike_units]
    heard_s, remarks = [], []
    for number, name in enumerate(probes):
        alone = len(probes) > 1 and np.count_nonzero(of_probe == number) >= _FEWEST_UNITS
        times = raw.spike_times[probe_of_spike == number] if alone else raw.spike_times
        stretches, silences_s = heard(times, longest_s=settings.longest_silence_s)
        heard_s.append(stretches)
        if len(silences_s):
            of = f"of {name}" if alone else "of any unit"
            remarks.append(
                f"no spike {of} in {counted(len(silences_s), 'stretch')} of {silences_s.sum():.0f} s together, taken as not "
                "recorded"
            )
    first_s, last_s = _ends(raw)
    covered = np.zeros((len(spans_s), len(pairs)), bool)
    for group, (probe, number) in enumerate(pairs):
        stretches = heard_s[probe]
        if raw.recorded is not None:
            ends_s = first_s[groups == group].min(), last_s[groups == group].max()
            stretches = intersection(stretches, unbounded(raw.recorded.of_set(number), *ends_s))
        covered[:, group] = inside(spans_s, stretches)
    return Coverage(covered, groups, list(dict.fromkeys(remarks)))


def heard(times: np.ndarray, *, longest_s: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Stretches (m, 2) in which a probe was recorded, as its spikes tell, and the lengths of the silences between them.

    A silence counts as a gap of the recording when it is longer than `longest_s` and than 20 times the mean interval of
    the 20 spikes before and the 20 after it: so neurons at rest, whose spikes grow rare, still count as recorded. A
    stretch reaches ten such intervals beyond its first and last spike.

    Args:
        times: (n,) seconds, ascending.
        longest_s: None: silence says nothing.
    """
    if longest_s is None or len(times) < 2:
        return _ALWAYS, np.zeros(0)
    last = np.flatnonzero(np.diff(times) > longest_s)
    before, after = _mean_interval_s(times, last, -1), _mean_interval_s(times, last + 1, 1)
    typical = np.where(np.isnan(before), after, np.where(np.isnan(after), before, (before + after) / 2))
    silent_s = times[last + 1] - times[last]
    is_gap = silent_s > _TIMES_TYPICAL * np.nan_to_num(typical, nan=np.inf)
    last, reach = last[is_gap], _TIMES_TYPICAL / 2 * typical[is_gap]
    ends = (
        _TIMES_TYPICAL
        / 2
        * np.array(
            [_mean_interval_s(times, np.array([0]), 1)[0], _mean_interval_s(times, np.array([len(times) - 1]), -1)[0]]
        )
    )
    starts_s = np.concatenate([[times[0] - ends[0]], times[last + 1] - reach])
    ends_s = np.concatenate([times[last] + reach, [times[-1] + ends[1]]])
    return np.column_stack([starts_s, ends_s]), silent_s[is_gap]


def recorded_s(raw: RawSession, settings: PartitionSettings) -> float:
    """How long spikes were recorded, in seconds, but for a hundredth of them at either end.

    That is the time between, less the silences of all units, or what the source says was recorded of any if that is shorter.
    """
    first_s, last_s = bulk(raw.spike_times)
    within = raw.spike_times[slice(*np.searchsorted(raw.spike_times, [first_s, np.nextafter(last_s, np.inf)]))]
    lasted_s = last_s - first_s - float(heard(within, longest_s=settings.longest_silence_s)[1].sum())
    if raw.recorded is None:
        return lasted_s
    said_s = merged(raw.recorded.intervals_s.clip(first_s, last_s))
    return min(lasted_s, float((said_s[:, 1] - said_s[:, 0]).sum()))


def choose(
    covered: Coverage, candidates: np.ndarray, settings: PartitionSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows and units of which all was recorded, so that windows x units is as large as it can be.

    Units are taken in the order of the number of windows they were recorded in; with each further one, windows that it lacks
    fall away. Numbers that `min_trials` and `min_units` allow go before those that they do not.

    Args:
        candidates: mask (N,) of the units that may be kept at all.

    Returns:
        Masks (K,) of the windows in which any candidate was recorded and of those kept, and (N,) of the units kept, in which
        others than candidates do not count.
    """
    within = covered.of_group
    sizes = np.bincount(covered.groups[candidates], minlength=within.shape[1])
    order = np.argsort(-within.sum(axis=0), kind="stable")
    order = order[sizes[order] > 0]
    if not len(order):
        everything = np.ones(len(within), bool)
        return everything, everything, np.ones(len(covered.groups), bool)
    together = np.logical_and.accumulate(within[:, order], axis=1)
    n_windows, n_units = together.sum(axis=0), np.cumsum(sizes[order])
    enough = (n_windows >= settings.min_trials) & (n_units >= settings.min_units)
    best = max(range(len(order)), key=lambda i: (enough[i], n_windows[i] * n_units[i], n_units[i]))
    units = np.isin(covered.groups, order[: best + 1])
    return np.any(within[:, order], axis=1), together[:, best], units


def _mean_interval_s(times: np.ndarray, at: np.ndarray, direction: int) -> np.ndarray:
    """Mean interval of the next 20 spikes from each index in `at`, forwards (1) or backwards (-1); NaN where there is
    none.
    """
    far = np.clip(at + direction * _NEIGHBOURS, 0, len(times) - 1)
    number = np.abs(far - at)
    return np.where(number > 0, np.abs(times[far] - times[at]) / np.maximum(number, 1), np.nan)


def _ends(raw: RawSession) -> tuple[np.ndarray, np.ndarray]:
    """Times (N,) of the first and of the last spike of each unit; infinity and minus infinity where there is none."""
    first_s, last_s = np.full(len(raw.units), np.inf), np.full(len(raw.units), -np.inf)
    # Of several values for one place the last is kept.
    first_s[raw.spike_units[::-1]] = raw.spike_times[::-1]
    last_s[raw.spike_units] = raw.spike_times
    return first_s, last_s
