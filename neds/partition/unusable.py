"""A session that cannot be used: recorded with its reason, or refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from neds.errors import UserError
from neds.files.aligned import SPLITS, AlignedSession, write_aligned
from neds.partition.settings import PartitionSettings
from neds.words import counted


class Unusable(Exception):
    """Why a session cannot be used, and the trials and units dropped until that was found."""

    def __init__(self, reason: str, dropped: dict[str, int] | None = None):
        super().__init__(reason)
        self.dropped = dropped or {}


def write_outcome(
    complete: Callable[[], AlignedSession],
    *,
    header: AlignedSession,
    source: Path,
    stop: bool,
    output: Path,
) -> None:
    """Write what `complete` returns to `output`; where it raises Unusable, `header` with the reason.

    Raises:
        UserError: the session is unusable and `stop` says that this stops the workflow.
    """
    session = outcome(complete, header)
    if session.reason and stop:
        raise UserError(
            f"{source}: session {header.eid} is unusable: {session.reason}; "
            "take it out of the sessions, or set `unusable: skip` in the partition settings"
        )
    write_aligned(output, session)


def outcome(complete: Callable[[], AlignedSession], header: AlignedSession) -> AlignedSession:
    """What `complete` returns; where it raises Unusable, `header` with the reason."""
    try:
        return complete()
    except Unusable as problem:
        return replace(header, reason=str(problem), dropped=problem.dropped)


def require_trials(n_trials: int, n_before: int, settings: PartitionSettings, dropped: dict[str, int]) -> None:
    if n_trials < settings.min_trials:
        raise Unusable(
            f"{n_trials} of {counted(n_before, 'trial')} kept, fewer than min_trials {settings.min_trials}", dropped
        )


def require_splits(split: np.ndarray, dropped: dict[str, int], *, of_file: bool = False) -> None:
    """Refuse a session whose trials (K,), given by index into SPLITS, leave a split empty.

    Args:
        of_file: the source's file says the splits, and may have no test.
    """
    needed = SPLITS[:2] if of_file else SPLITS
    empty = [name for index, name in enumerate(needed) if not (split == index).any()]
    if empty:
        raise Unusable(f"no trials left for {', '.join(empty)}; lower split_gap_s or split_blocks", dropped)


def require_units(n_units: int, n_before: int, settings: PartitionSettings, dropped: dict[str, int]) -> None:
    if n_units < settings.min_units:
        raise Unusable(
            f"{n_units} of {counted(n_before, 'unit')} kept, fewer than min_units {settings.min_units}", dropped
        )
