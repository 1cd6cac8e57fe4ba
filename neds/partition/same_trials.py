"""Trials that are in two sessions: the same recording under two names.

Shapes: K trials, T bins.
"""

import hashlib
from collections.abc import Mapping
from itertools import combinations

import numpy as np

from neds.errors import UserError
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


def seen_in_training(session: AlignedSession) -> str:
    """The trials that a model of the session has seen, trained or chosen on: their fingerprints as hexadecimal text."""
    seen = np.concatenate([session.trials_of("train"), session.trials_of("val")])
    return (
        "".join(f"{number:016x}" for number in session.fingerprints[seen].tolist()) if len(session.fingerprints) else ""
    )


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
    own = {f"{number:016x}" for number in session.fingerprints[session.trials_of("test")].tolist()} - {f"{0:016x}"}
    for eid, text in seen.items():
        common = own.intersection(text[start : start + 16] for start in range(0, len(text), 16))
        if common and eid != session.eid:
            raise UserError(
                f"{by} has seen {len(common)} test trials of session {session.eid}: they are in session {eid}, spike by "
                "spike; take one off the sessions sheet, or set partition.overlap: allow"
            )


def shared_trials(sessions: list[AlignedSession]) -> list[tuple[str, str, int]]:
    """Pairs of sessions (EID, EID) that hold the same trials, and how many."""
    told_apart = {session.eid: set(session.fingerprints.tolist()) - {0} for session in sessions}
    common = (
        (first, second, len(told_apart[first] & told_apart[second])) for first, second in combinations(told_apart, 2)
    )
    return [pair for pair in common if pair[2]]
