"""Which units are kept.

Shapes: N0 units in the recording.
"""

import numpy as np
import pandas as pd

from neds.partition.settings import PartitionSettings
from neds.partition.trials import drop_by_first_reason


def has_label(units: pd.DataFrame, settings: PartitionSettings) -> np.ndarray:
    """Mask (N0,) of the units whose column `label`, NaN where unknown, is high enough."""
    if settings.min_label == 0:
        return np.ones(len(units), bool)
    return units["label"].to_numpy(float) >= settings.min_label - 1e-6


def keep_units(
    units: pd.DataFrame, rates_hz: np.ndarray, settings: PartitionSettings, *, recorded: np.ndarray | None = None
) -> tuple[np.ndarray, dict[str, int]]:
    """Mask (N0,) of the units kept, and the number dropped by reason.

    Args:
        units: (N0 rows) with the column `label`, NaN where unknown.
        rates_hz: (N0,) mean rate in the window over the training trials.
        recorded: mask (N0,) of the units that were recorded in all trials kept; None: all were.
    """
    tests = {f"label below {settings.min_label:g}": ~has_label(units, settings)}
    if recorded is not None:
        tests["not recorded in all of the trials kept"] = ~recorded
    tests[f"rate not above {settings.min_rate_hz:g} Hz"] = ~(rates_hz > settings.min_rate_hz)
    return drop_by_first_reason(tests, len(units), prefix="units")
