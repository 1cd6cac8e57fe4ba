"""Trials that are in two sessions: the same recording under two names.

Shapes: K trials, T bins.
"""

import hashlib
from itertools import combinations

import numpy as np

from neds.files.aligned import AlignedSession

FEWEST_SPIKES = 20
"""Of a window with fewer, its spikes tell nothing: two may be alike by chance, and one may have none."""


def fingerprints(counts: np.ndarray) -> np.ndarray:
    """A number (K,) uint64 for each trial's spikes: alike for the same trial, also of another file or with units in
    another order.

    Args:
        counts: (K, T) spikes of all units in each bin, before units are selected.
    """
    rows = np.ascontiguousarray(counts, dtype="<i8")
    digests = [hashlib.sha256(row.tobytes()).digest()[:8] for row in rows]
    numbers = np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.uint64)
    return np.where(rows.sum(axis=1) >= FEWEST_SPIKES, numbers, np.uint64(0))


def shared_trials(sessions: list[AlignedSession]) -> list[tuple[str, str, int]]:
    """Pairs of sessions (EID, EID) that hold the same trials, and how many."""
    told_apart = {session.eid: set(session.fingerprints.tolist()) - {0} for session in sessions}
    common = (
        (first, second, len(told_apart[first] & told_apart[second])) for first, second in combinations(told_apart, 2)
    )
    return [pair for pair in common if pair[2]]
