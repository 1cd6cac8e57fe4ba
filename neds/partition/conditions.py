"""Task conditions, over which trials are averaged into PSTHs."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

NO_CONDITION = -1


def task_factors(trials: pd.DataFrame, categorical: Iterable[str]) -> pd.DataFrame:
    """What makes up a trial's condition: the column `condition`, or else choice, block, reward and others in use.

    Args:
        trials: (K rows) columns of a raw file; block may be `probabilityLeft`, and reward `feedbackType`, as in the IBL's.
        categorical: names of the categorical modalities in use.
    """
    if "condition" in trials:
        return trials[["condition"]]
    candidates = [
        ("choice",),
        ("block", "probabilityLeft"),
        ("reward", "feedbackType"),
        *((name,) for name in categorical),
    ]
    present = [next((column for column in columns if column in trials), None) for columns in candidates]
    factors = trials[[column for column in dict.fromkeys(present) if column]]
    return factors.assign(feedbackType=factors["feedbackType"] > 0) if "feedbackType" in factors else factors


def condition_index(factors: pd.DataFrame) -> np.ndarray:
    """Index (K,) of each trial's combination of the factors (K rows; choice, block, reward, as far as known).

    Combinations that occur are numbered in sorted order; without any factor all trials are condition 0.
    """
    if factors.columns.empty:
        return np.zeros(len(factors), np.int64)
    return factors.groupby(list(factors.columns), dropna=False, sort=True).ngroup().to_numpy(np.int64)
