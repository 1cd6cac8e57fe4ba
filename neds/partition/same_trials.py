"""Trials that are in two sessions: the same recording under two names, or its probes in two files.

Equal spikes are enough. Of behaviour and times both must be equal: sessions of one task may have the same stimulus in each
trial, or the same timetable.

Shapes: K trials, T bins, n samples, M marks.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from neds.errors import UserError
from neds.files.aligned import AlignedSession
from neds.files.raw import Trace

FEWEST_SPIKES = 20
"""Of a window with fewer, or as many in each bin, its spikes tell nothing: two may be alike by chance."""
LARGEST_CHANCE = 1e-12
"""Spikes tell nothing in sessions of which two trials are alike by a larger chance, as where bins are few."""
FEWEST_VALUES = 10
"""Of a piece of behaviour with fewer different values, likewise: a wheel may be at rest."""
NEIGHBOURS, FEWEST_INTERVALS = 4, 6
"""Times of trials are known by the intervals to so many trials before and after, of which so many must differ: tasks of few
possible intervals are all alike."""
_KINDS = ("spikes", "behaviour and times")


def of_spikes(counts: np.ndarray) -> np.ndarray:
    """A number (K,) uint64 for each trial's spikes: alike for the same trial, also of another file or with units in
    another order; 0 where they tell nothing.

    Args:
        counts: (K, T) spikes of all units in each bin, before units are selected; of as many trials as there are, as they
            tell how often two of them are alike by chance.
    """
    rows = np.ascontiguousarray(counts, dtype="<i8")
    varies = (rows != rows[:, :1]).any(axis=1)
    enough = varies & (rows.sum(axis=1) >= FEWEST_SPIKES) & (_chance_alike(rows) < LARGEST_CHANCE)
    return _marks("spikes", [row if known else None for row, known in zip(rows, enough, strict=True)])


def _chance_alike(rows: np.ndarray) -> float:
    """By which chance two trials have the same counts (K, T), if bins are independent: the product over bins of Σ p², with p
    the share of trials that have a count. Every trial is alike to itself, so that few trials give too large a chance.
    """
    shares = [np.unique(column, return_counts=True)[1] / len(rows) for column in rows.T] if len(rows) else []
    return float(np.prod([np.sum(share**2) for share in shares]))


def of_values(name: str, values: Sequence[np.ndarray]) -> np.ndarray:
    """Likewise for values of a behaviour, of each trial those of some samples."""
    rows = [np.ascontiguousarray(row, dtype="<f4") for row in values]
    return _marks(name, [row if len(np.unique(row[np.isfinite(row)])) >= FEWEST_VALUES else None for row in rows])


def of_window(name: str, trace: Trace, spans_s: np.ndarray) -> np.ndarray:
    """Likewise for the samples of a trace in the first half of each trial's window, whatever the clock begins with.

    Args:
        spans_s: (K, 2) first and last moment of each window, all equally long.
    """
    return of_values(name, [trace.values[start:end] for start, end in _pieces(trace, spans_s[:, 0], spans_s)])


def of_clock(name: str, trace: Trace, spans_s: np.ndarray) -> np.ndarray:
    """Likewise for the samples of a trace and their times (in µs) around each trial, wherever in it the window begins.

    The clock is cut into pieces of half a window, of which each window holds one whole. So fixed windows of two files that
    begin at other moments have the samples of a piece in common.

    Args:
        spans_s: (K, 2) first and last moment of each window, all equally long.
    """
    piece_s = _half_s(spans_s)
    ends = _pieces(trace, np.ceil(spans_s[:, 0] / piece_s - 1e-9) * piece_s, spans_s)
    times_us = np.round(trace.times * 1e6).astype("<i8")
    when = _marks("clock", [times_us[start:end] for start, end in ends])
    return of_both(of_values(name, [trace.values[start:end] for start, end in ends]), when)


def _half_s(spans_s: np.ndarray) -> float:
    return float(np.median(spans_s[:, 1] - spans_s[:, 0])) / 2 if len(spans_s) else 1.0


def _pieces(trace: Trace, first_s: np.ndarray, spans_s: np.ndarray) -> np.ndarray:
    """First sample (K, 2) of each piece of half a window, and the one after the last."""
    return np.searchsorted(trace.times, np.column_stack([first_s, first_s + _half_s(spans_s)]) - 1e-9)


def of_both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Numbers (K,) that are alike where both of the numbers (K,) are; 0 where one of them tells nothing."""
    pairs = np.column_stack([first, second])
    return _marks("both", [pair if pair.all() else None for pair in pairs])


def of_times(times_s: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Likewise for the intervals (in ms) from each trial to those before and after, whatever the clock begins with.

    Args:
        times_s: of all trials of the source, in seconds.
        rows: (K,) of the trials kept.
    """
    steps = np.diff(times_s)
    neighbours = rows[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS)
    there = (neighbours >= 0) & (neighbours < len(steps))
    around = steps[neighbours.clip(0, max(len(steps) - 1, 0))] if len(steps) else np.full(neighbours.shape, np.nan)
    known = there.all(axis=1) & np.isfinite(around).all(axis=1)
    intervals_ms = np.where(known[:, None], np.round(around * 1e3), 0).astype("<i8")
    tells = [ok and len(np.unique(row)) >= FEWEST_INTERVALS for row, ok in zip(intervals_ms, known, strict=True)]
    return _marks("times", [row if ok else None for row, ok in zip(intervals_ms, tells, strict=True)])


def _marks(kind: str, rows: Sequence[np.ndarray | None]) -> np.ndarray:
    return np.array(
        [
            0 if row is None else int.from_bytes(hashlib.sha256(kind.encode() + row.tobytes()).digest()[:8], "little")
            for row in rows
        ],
        dtype=np.uint64,
    )


def seen_in_training(session: AlignedSession) -> str:
    """The trials that a model of the session has seen, trained or chosen on: their fingerprints as hexadecimal text."""
    seen = np.concatenate([session.trials_of("train"), session.trials_of("val")])
    known = session.fingerprints[seen] if len(session.fingerprints) else session.fingerprints
    return known.astype(">u8").tobytes().hex()


def refuse_seen(session: AlignedSession, seen: Mapping[str, str], *, by: object) -> None:
    """Refuse to test a model on trials that it has seen, unless the session allows it (partition.overlap: allow).

    Args:
        seen: of each session that the model was trained on, what `seen_in_training` says of it.
        by: what has seen them, for the message.

    Raises:
        UserError: a test trial of the session is among them.
    """
    if session.settings.get("overlap") == "allow" or not len(session.fingerprints):
        return
    own = session.fingerprints[session.trials_of("test")]
    for eid, text in seen.items():
        common, alike = _n_alike(own, np.frombuffer(bytes.fromhex(text), ">u8"))
        if common:
            where = (
                "it was trained on this session, split otherwise"
                if eid == session.eid
                else f"they are in session {eid}"
            )
            raise UserError(
                f"{by} has seen {common} of the test trials of session {session.eid}: {where} ({alike}); "
                "take one off the sessions sheet, or set partition.overlap: allow"
            )


def shared_trials(sessions: list[AlignedSession]) -> list[tuple[str, str, int, str]]:
    """Pairs of sessions (EID, EID) that hold the same trials, how many, and what of them is equal."""
    common = (
        (first.eid, second.eid, *_n_alike(first.fingerprints, second.fingerprints))
        for first, second in combinations(sessions, 2)
    )
    return [pair for pair in common if pair[2]]


def _n_alike(fingerprints: np.ndarray, others: np.ndarray) -> tuple[int, str]:
    """Trials of which a mark (K, M), or (K,), is among the others, and what is equal. The first mark is of spikes."""
    rows = fingerprints.reshape(len(fingerprints), -1) if len(fingerprints) else np.zeros((0, 1), np.uint64)
    alike = np.isin(rows, others) & (rows != 0)
    kinds = [kind for kind, found in zip(_KINDS, (alike[:, :1], alike[:, 1:]), strict=True) if found.any()]
    return int(np.count_nonzero(alike.any(axis=1))), f"equal {', '.join(kinds)}"
