"""What the validation trials choose: the penalty of a fit, and whatever else a family of fits has.

Shapes: K trials, k some of them, T bins, N units.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from neds.evaluation.metrics import accuracy, expected_accuracy, mean_of_known, r2, r2_by_column
from neds.files.aligned import AlignedSession

log = logging.getLogger(__name__)

Candidate = TypeVar("Candidate")
Fitted = Callable[[np.ndarray], np.ndarray]
"""Predictions (k, ...) of trials by their indices (k,), in the form in which `neds.evaluation.score` takes them."""
MOST_EXTENSIONS = 3
"""Penalties that are tried beyond each end of a grid, while the end is what is chosen."""
_LEAST_GAIN = 1e-4
"""In score, for which a weaker penalty, or whatever is less simple, is preferred."""


def chosen_fit(
    session: AlignedSession, name: str, penalties: Sequence[float], fits: Callable[[float], Iterable[Fitted]]
) -> np.ndarray:
    """Predictions (k, ...) of the test trials of continuous, categorical or scalar values, by the fit of best validation.

    By the mean R2 of the columns, or by the expected accuracy, which unlike the accuracy of few trials does not jump; by
    accuracy where all validation trials are of one class.

    Args:
        penalties: the grid, in descending steps of one ratio.
        fits: of a penalty, the simplest first.
    """
    truth, val = session.values[name], session.trials_of("val")
    kind = session.modalities[name].kind
    if kind == "categorical":
        val = val[truth[val] >= 0]
        several = len(np.unique(truth[val])) > 1

    def validation(fit: Fitted) -> float:
        guess = fit(val)
        if kind == "categorical":
            return expected_accuracy(truth[val], guess) if several else accuracy(truth[val], guess.argmax(1))
        return mean_of_known(r2_by_column(truth[val], guess)) if truth.ndim > 1 else r2(truth[val], guess)

    return along_penalties(session, name, penalties, fits, validation)(session.trials_of("test"))


def along_penalties(
    session: AlignedSession,
    name: str,
    penalties: Sequence[float],
    fits: Callable[[float], Iterable[Candidate]],
    validation: Callable[[Candidate], float],
) -> Candidate:
    """The fit with the highest score in validation; of (nearly) equal ones the one with the strongest penalty.

    While the choice is at an end of the grid, the grid is extended there, by at most `MOST_EXTENSIONS` steps.
    """
    ratio = penalties[0] / penalties[1]
    found, score = best(
        session, name, ((p, fit) for p in penalties for fit in fits(p)), lambda item: validation(item[1])
    )
    for end, step in ((penalties[0], ratio), (penalties[-1], 1 / ratio)):
        for _ in range(MOST_EXTENSIONS):
            if found[0] != end or np.isnan(score):
                break
            end *= step
            for fit in fits(end):
                value = validation(fit)
                if value > score + _LEAST_GAIN:
                    found, score = (end, fit), value
        if found[0] == end and not np.isnan(score):
            log.info("session %s, %s: penalty %g is the end of what was tried", session.eid, name, end)
    log.info("session %s, %s: penalty %g, score in validation %.4f", session.eid, name, found[0], score)
    return found[1]


def best(
    session: AlignedSession, name: str, candidates: Iterable[Candidate], validation: Callable[[Candidate], float]
) -> tuple[Candidate, float]:
    """The first candidate with the highest score in validation, and the score; where none has a score the first, and a
    warning.
    """
    remaining = iter(candidates)
    found = next(remaining)
    score = validation(found)
    for candidate in remaining:
        value = validation(candidate)
        if value > score + _LEAST_GAIN or (np.isnan(score) and not np.isnan(value)):
            found, score = candidate, value
    if np.isnan(score):
        log.warning("session %s, %s: no score in validation, by which the baseline could be chosen", session.eid, name)
    return found, score
