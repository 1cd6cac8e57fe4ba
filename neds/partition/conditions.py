"""Task conditions, over which trials are averaged into PSTHs."""

import numpy as np
import pandas as pd


def condition_index(factors: pd.DataFrame) -> np.ndarray:
    """Index (K,) of each trial's combination of the factors (K rows; choice, block, reward, as far as known).

    Combinations that occur are numbered in sorted order; without any factor all trials are condition 0.
    """
    if factors.columns.empty:
        return np.zeros(len(factors), np.int64)
    return factors.groupby(list(factors.columns), dropna=False, sort=True).ngroup().to_numpy(np.int64)
