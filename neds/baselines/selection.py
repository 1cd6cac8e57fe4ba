"""What the validation trials choose among candidate predictions of one target, for each kind of target.

A candidate is an array over all K trials of the session; the chosen one's k test trials are returned. T bins, N units.
"""

from collections.abc import Iterable

import numpy as np

from neds.evaluation.metrics import balanced_accuracy, bits_per_spike, mean_of_known, r2_by_column
from neds.files.aligned import AlignedSession

_LEAST_SHARE_OF_MEAN = (0.01, 0.03, 0.1, 0.3)


def best_continuous(session: AlignedSession, name: str, candidates: Iterable[np.ndarray]) -> np.ndarray:
    """Of candidates (K, T, width) the one with the highest mean R2 of its columns, (k, T, width)."""
    truth = session.values[name]
    val, test = session.trials_of("val"), session.trials_of("test")
    return max(candidates, key=lambda guess: mean_of_known(r2_by_column(truth[val], guess[val])))[test]


def best_counts(session: AlignedSession, name: str, candidates: Iterable[np.ndarray]) -> np.ndarray:
    """Of candidates (K, T, N) in spikes per bin the one with the most bits per spike, (k, T, N).

    A linear rate can be negative, so it is bounded below by a share, chosen too, of the unit's mean rate.
    """
    counts = session.values[name]
    val, test = session.trials_of("val"), session.trials_of("test")
    mean = session.statistics[name]["mean"]

    def validation(candidate: tuple[np.ndarray, float]) -> float:
        rates, share = candidate
        return np.nanmean(bits_per_spike(np.maximum(rates[val], share * mean), counts[val]))

    bounded = ((rates, share) for rates in candidates for share in _LEAST_SHARE_OF_MEAN)
    rates, share = max(bounded, key=validation)
    return np.maximum(rates[test], share * mean)


def best_categorical(session: AlignedSession, name: str, candidates: Iterable[np.ndarray]) -> np.ndarray:
    """Of candidates (K, classes), probabilities, the one with the highest balanced accuracy, (k, classes)."""
    truth = session.values[name]
    val, test = session.trials_of("val"), session.trials_of("test")
    val = val[truth[val] >= 0]
    return max(candidates, key=lambda guess: balanced_accuracy(truth[val], guess[val].argmax(1)))[test]


BEST = {"counts": best_counts, "continuous": best_continuous, "categorical": best_categorical}
