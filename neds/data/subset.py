"""Fewer training trials: what a model would be if less had been recorded."""

import hashlib
from dataclasses import replace

import numpy as np

from neds.files.aligned import SPLITS, AlignedSession
from neds.partition.statistics import training_statistics

LEFT_OUT = len(SPLITS)
"""Value of `split` of a training trial that is not used."""


def with_training_trials(session: AlignedSession, number: int | None) -> AlignedSession:
    """The session with `number` of its training trials, and statistics of these alone; unchanged for None.

    Which trials is a function of the EID, and a smaller number's trials are among a larger one's. Validation and test
    trials and the selection of units stay as they are. With fewer trials than `number`, all are used.
    """
    if number is None or not session.usable:
        return session
    training = session.trials_of("train")
    seed = int.from_bytes(hashlib.sha256(f"training trials of {session.eid}".encode()).digest()[:8], "big")
    split = session.split.copy()
    split[np.random.default_rng(seed).permutation(training)[number:]] = LEFT_OUT
    statistics = training_statistics(session.values, session.modalities, split == SPLITS.index("train"))
    return replace(session, split=split, statistics=statistics)
