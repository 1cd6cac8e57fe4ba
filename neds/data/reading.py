"""The aligned files of a training, read whole or as needed."""

import logging
from collections.abc import Sequence
from pathlib import Path

from neds.files.aligned import AlignedSession, counts_bytes, read_aligned
from neds.files.memory import available_bytes, readable_gb

log = logging.getLogger(__name__)


def read_sessions(
    aligned: Sequence[Path], *, memory_share: float, n_processes: int, description: str
) -> list[AlignedSession]:
    """The sessions of aligned files; their counts stay in the files where together they are too large.

    Args:
        memory_share: of the memory that is left, what the counts in memory may take.
        n_processes: on this computer, which share its memory and each read all files.
        description: name of the run.

    Raises:
        UserError: a file is missing or damaged.
    """
    n_bytes, left = n_processes * sum(map(counts_bytes, aligned)), available_bytes()
    too_large = left is not None and n_bytes > memory_share * left
    if too_large:
        log.info(
            "%s: counts are read from their files as needed, because in memory they would take %s, more than %g of what is "
            "left (training.memory_share)",
            *(description, readable_gb(n_bytes), memory_share),
        )
    return [read_aligned(path, counts_in_memory=not too_large) for path in aligned]
