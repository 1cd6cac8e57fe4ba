"""Which units are kept.

Shapes: N0 units in the recording.
"""

import numpy as np
import pandas as pd

from neds.partition.settings import PartitionSettings
from neds.partition.trials import drop_by_first_reason


def keep_units(
    units: pd.DataFrame, rates_hz: np.ndarray, settings: PartitionSettings
) -> tuple[np.ndarray, dict[str, int]]:
    """Mask (N0,) of the units kept, and the number dropped by reason.

    Args:
        units: (N0 rows) with the column `label`, NaN where unknown.
        rates_hz: (N0,) mean rate in the window over the training trials.
    """
    tests = {}
    if settings.min_label > 0:
        tests[f"label below {settings.min_label:g}"] = ~(units["label"].to_numpy(float) >= settings.min_label - 1e-6)
    tests[f"rate not above {settings.min_rate_hz:g} Hz"] = ~(rates_hz > settings.min_rate_hz)
    return drop_by_first_reason(tests, len(units), prefix="units")
