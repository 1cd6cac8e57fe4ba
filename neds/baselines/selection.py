"""What the validation trials choose among candidate predictions of one target, for each kind of target.

A candidate is an array over all K trials of the session; the chosen one's k test trials are returned. T bins, N units.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from neds.evaluation.metrics import accuracy, balanced_accuracy, bits_per_spike, mean_of_known, r2, r2_by_column
from neds.files.aligned import AlignedSession

log = logging.getLogger(__name__)

Candidate = TypeVar("Candidate")
_LEAST_SHARE_OF_MEAN = (0.01, 0.03, 0.1, 0.3)


def best_continuous(session: AlignedSession, name: str, candidates: Iterable[np.ndarray]) -> np.ndarray:
    """Of candidates (K, T, width) the one with the highest mean R2 of its columns, (k, T, width)."""
    truth = session.values[name]
    val, test = session.trials_of("val"), session.trials_of("test")
    return best(session, name, candidates, lambda guess: mean_of_known(r2_by_column(truth[val], guess[val])))[test]


def best_counts(session: AlignedSession, name: str, candidates: Iterable[np.ndarray]) -> np.ndarray:
    """Of candidates (K, T, N) in spikes per bin the one with the most bits per spike, (k, T, N).

    A linear rate can be negative, so it is bounded below by a share, chosen too, of the unit's mean rate.
    """
    counts = session.values[name]
    val, test = session.trials_of("val"), session.trials_of("test")
    mean = session.statistics[name]["mean"]

    def validation(candidate: tuple[np.ndarray, float]) -> float:
        rates, share = candidate
        return mean_of_known(bits_per_spike(np.maximum(rates[val], share * mean), counts[val])[mean > 0])

    bounded = ((rates, share) for rates in candidates for share in _LEAST_SHARE_OF_MEAN)
    rates, share = best(session, name, bounded, validation)
    return np.maximum(rates[test], share * mean)


def best_categorical(session: AlignedSession, name: str, candidates: Iterable[np.ndarray]) -> np.ndarray:
    """Of candidates (K, classes), probabilities, the one with the highest balanced accuracy, (k, classes).

    Where all validation trials are of one class, the one that is right in most of them.
    """
    truth = session.values[name]
    val, test = session.trials_of("val"), session.trials_of("test")
    val = val[truth[val] >= 0]
    metric = balanced_accuracy if len(np.unique(truth[val])) > 1 else accuracy
    return best(session, name, candidates, lambda guess: metric(truth[val], guess[val].argmax(1)))[test]


def best_scalar(session: AlignedSession, name: str, candidates: Iterable[np.ndarray]) -> np.ndarray:
    """Of candidates (K,) the one with the highest R2, (k,)."""
    truth = session.values[name]
    val, test = session.trials_of("val"), session.trials_of("test")
    return best(session, name, candidates, lambda guess: r2(truth[val], guess[val]))[test]


def best(
    session: AlignedSession, name: str, candidates: Iterable[Candidate], validation: Callable[[Candidate], float]
) -> Candidate:
    """The first candidate with the highest score in validation; where none has a score the last, and a warning."""
    remaining = iter(candidates)
    found = next(remaining)
    score = validation(found)
    for candidate in remaining:
        value = validation(candidate)
        if value > score or np.isnan(score):
            found, score = candidate, value
    if np.isnan(score):
        log.warning("session %s, %s: no score in validation, by which the baseline could be chosen", session.eid, name)
    return found


BEST = {
    "counts": best_counts,
    "continuous": best_continuous,
    "categorical": best_categorical,
    "scalar": best_scalar,
}
