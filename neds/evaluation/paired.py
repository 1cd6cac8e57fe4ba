"""Two models on the same sessions: their paired difference, its error, and its test."""

from dataclasses import dataclass

import numpy as np

FEWEST_SESSIONS = 6
"""With fewer pairs a two-sided Wilcoxon signed-rank test cannot give p < 0.05: of n pairs, 2^(1 - n) is its smallest p."""
FEWEST_FOR_A_RATIO, WELL_ABOVE_ZERO = 3, 3.0
"""A ratio of mean scores is given from so many sessions on, where both means lie so many standard errors above 0."""


@dataclass(frozen=True)
class Difference:
    """How much a model gains over another, over the sessions that both were scored on.

    Attributes:
        n_sessions: pairs.
        difference: mean over sessions of ours - other.
        difference_sem: its standard error over sessions; NaN for one pair.
        relative_gain: ratio of the mean scores, less 1; NaN where they are not well above 0 (`WELL_ABOVE_ZERO`).
        wilcoxon_p: of the two-sided Wilcoxon signed-rank test, exact unless differences are equal or 0 (scipy); NaN for
            fewer than `FEWEST_SESSIONS` pairs, or without any difference.
    """

    n_sessions: int
    difference: float
    difference_sem: float
    relative_gain: float
    wilcoxon_p: float


def paired_note(n_sessions: int) -> str:
    """What differences over so many sessions can show, in a sentence for a caption."""
    if n_sessions >= FEWEST_SESSIONS:
        return "p: Wilcoxon signed-rank test over sessions, two-sided, not corrected for the number of comparisons."
    return (
        f"Not tested: of fewer than {FEWEST_SESSIONS} sessions a two-sided signed-rank test cannot give p < 0.05, "
        "even where all differ in one direction."
    )


def compare(ours: np.ndarray, other: np.ndarray) -> Difference:
    """Compare the scores (n,) of two models on the same sessions."""
    n_sessions = len(ours)
    testable = n_sessions >= FEWEST_SESSIONS and np.any(ours != other)
    has_ratio = n_sessions >= FEWEST_FOR_A_RATIO and all(
        scores.mean() > WELL_ABOVE_ZERO * _sem(scores) for scores in (ours, other)
    )
    return Difference(
        n_sessions=n_sessions,
        difference=float(np.mean(ours - other)),
        difference_sem=_sem(ours - other),
        relative_gain=float(ours.mean() / other.mean() - 1) if has_ratio else np.nan,
        wilcoxon_p=_wilcoxon_p(ours, other) if testable else np.nan,
    )


def _wilcoxon_p(ours: np.ndarray, other: np.ndarray) -> float:
    # scipy.stats loads for most of a second, and few sessions are not tested.
    from scipy.stats import wilcoxon

    return float(wilcoxon(ours, other).pvalue)


def _sem(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
