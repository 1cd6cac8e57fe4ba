"""Which trials of a user's arrays are kept, by their spikes.

Shapes: K trials, T bins, N units.
"""

import numpy as np

from neds.files.aligned import SPLITS
from neds.partition.same_trials import FEWEST_SPIKES, of_spikes
from neds.partition.settings import PartitionSettings
from neds.partition.trials import drop_by_first_reason
from neds.partition.unusable import Unusable


def once(
    counts: np.ndarray, split: np.ndarray, kept: np.ndarray, dropped: dict[str, int], settings: PartitionSettings
) -> tuple[np.ndarray, dict[str, int]]:
    """Of the trials in the mask `kept` (K,) those that are not in another split too, spike by spike, and the number dropped
    by reason. As of windows that overlap, those of training go first.

    Args:
        counts: (K, T, N) of all units.
        split: (K,) index into SPLITS.
    """
    marks = of_spikes(counts.sum(axis=2, dtype=np.int64))
    twice = np.zeros(len(kept), bool)
    for own in (SPLITS.index("val"), SPLITS.index("train")):
        others = marks[(split > own) & kept & ~twice]
        twice |= (split == own) & kept & np.isin(marks, others[others > 0])
    if settings.overlap == "allow" or not twice.any():
        return kept, dropped
    if settings.overlap == "refuse":
        raise Unusable(f"trials that are in two splits, spike by spike: {np.count_nonzero(twice)}", dropped)
    return kept & ~twice, dropped | {"trials: the same trial is in another split": int(np.count_nonzero(twice))}


def with_spikes(
    counts: np.ndarray, kept: np.ndarray, dropped: dict[str, int], settings: PartitionSettings
) -> tuple[np.ndarray, dict[str, int]]:
    """Of the trials in the mask `kept` (K,) those in which spikes were recorded: the others have none of any unit, where the
    usual trial has 20 or more. And the number dropped by reason.

    Args:
        counts: (K, T, N) of all units.
    """
    per_trial = np.einsum("ktn->k", counts, dtype=np.int64)
    usual = np.median(per_trial[per_trial > 0]) if per_trial.any() else 0
    silent = kept & (per_trial == 0) & (settings.longest_silence_s is not None and usual >= FEWEST_SPIKES)
    recorded, lost = drop_by_first_reason({"no spike of any unit, not recorded": silent}, len(kept), prefix="trials")
    return kept & recorded, dropped | lost
