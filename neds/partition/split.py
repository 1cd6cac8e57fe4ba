"""The split of a session's trials into training, validation and test."""

import hashlib

import numpy as np

from neds.files.aligned import SPLITS


def assign_split(n_trials: int, *, eid: str, seed: int, fractions: list[float]) -> np.ndarray:
    """Draw the split: index (n_trials,) into SPLITS.

    It depends on the EID, the seed and the number of trials alone, so that adding a session or a modality changes no
    other session's split. With three trials or more, each part has at least one.
    """
    key = hashlib.sha256(f"{eid}/{seed}".encode()).digest()
    order = np.random.Generator(np.random.PCG64(int.from_bytes(key[:16], "big"))).permutation(n_trials)
    train_end = min(max(round(fractions[0] * n_trials), 1), max(n_trials - 2, 1))
    val_end = min(max(round((fractions[0] + fractions[1]) * n_trials), train_end + 1), n_trials - 1)
    split = np.full(n_trials, SPLITS.index("test"), np.uint8)
    split[order[:val_end]] = SPLITS.index("val")
    split[order[:train_end]] = SPLITS.index("train")
    return split
