"""Definitions of every score, as plain functions of arrays.

Shapes: K trials, T bins, N units, C conditions. NaN in a truth array means unknown and is left out.
"""

import numpy as np


def bits_per_spike(rates: np.ndarray, counts: np.ndarray, null_rates: np.ndarray | None = None) -> np.ndarray:
    """Poisson log-likelihood gain over a constant rate, in bits per spike of each unit (N,); NaN for a silent unit.

    (log L(rates) - log L(null)) / (n_spikes ln 2), the convention of the Neural Latents Benchmark (Pei et al. 2021).

    Args:
        rates: (K, T, N) expected spikes per bin.
        counts: (K, T, N) spikes.
        null_rates: (N,) expected spikes per bin of the null model; each unit's mean over `counts` when omitted.
    """
    counts = counts.astype(np.float64)
    n_spikes = counts.sum((0, 1))
    n_bins = counts.shape[0] * counts.shape[1]
    if null_rates is None:
        null_rates = n_spikes / n_bins
    smallest = 1e-9
    log_likelihood = (counts * np.log(np.maximum(rates, smallest)) - rates).sum((0, 1), dtype=np.float64)
    null = n_spikes * np.log(np.maximum(null_rates, smallest)) - n_bins * null_rates
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n_spikes > 0, (log_likelihood - null) / (n_spikes * np.log(2)), np.nan)


def r2(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Coefficient of determination over all values; NaN when the truth does not vary."""
    known = np.isfinite(truth)
    truth, predicted = truth[known].astype(np.float64), predicted[known].astype(np.float64)
    total = np.square(truth - truth.mean()).sum() if len(truth) else 0.0
    return float(1 - np.square(truth - predicted).sum() / total) if total > 0 else float("nan")


def r2_by_column(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """R2 (width,) of each column of (K, T, width), which may have units of their own."""
    return np.array([r2(truth[..., column], predicted[..., column]) for column in range(truth.shape[-1])])


def r2_weighted(truth: np.ndarray, predicted: np.ndarray) -> float:
    """R2 over the columns of (K, T, width) weighted by variance: the share of all variance that is explained."""
    known = np.isfinite(truth).all(-1)
    truth, predicted = truth[known].astype(np.float64), predicted[known].astype(np.float64)
    total = np.square(truth - truth.mean(0)).sum() if len(truth) else 0.0
    return float(1 - np.square(truth - predicted).sum() / total) if total > 0 else float("nan")


def mean_of_known(values: object) -> float:
    """Mean over the values that are known; NaN when there are none."""
    values = np.asarray(values, dtype=np.float64)
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def condition_averages(values: np.ndarray, condition: np.ndarray, *, min_trials: int = 2) -> np.ndarray:
    """Trial average of each condition that has at least `min_trials` trials, (C, T, ...); NaN values left out."""
    labels, number = np.unique(condition, return_counts=True)
    chosen = labels[number >= min_trials]
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    averages = [filled[condition == label].sum(0) / np.maximum(known[condition == label].sum(0), 1) for label in chosen]
    return np.stack(averages) if averages else np.zeros((0, *values.shape[1:]))


def r2_psth(truth: np.ndarray, predicted: np.ndarray, condition: np.ndarray) -> float:
    """R2 between the condition averages of truth and prediction, both (K, T), over conditions and bins."""
    return r2(condition_averages(truth, condition), condition_averages(predicted, condition))


def r2_residual(truth: np.ndarray, predicted: np.ndarray, condition: np.ndarray) -> float:
    """R2 of single-trial deviations: truth and prediction, both (K, T), each less its own condition average.

    Trials whose condition occurs once have no deviation and are left out.
    """
    labels, number = np.unique(condition, return_counts=True)
    kept = np.isin(condition, labels[number >= 2])
    if not kept.any():
        return float("nan")
    truth, predicted, condition = truth[kept], predicted[kept], condition[kept]
    row = np.unique(condition, return_inverse=True)[1]
    return r2(
        truth - condition_averages(truth, condition)[row], predicted - condition_averages(predicted, condition)[row]
    )


def accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Share of trials whose class (K,) was predicted."""
    return float(np.mean(truth == predicted)) if len(truth) else float("nan")


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over the classes present of the share of their trials that was predicted."""
    recalls = [np.mean(predicted[truth == label] == label) for label in np.unique(truth)]
    return float(np.mean(recalls)) if recalls else float("nan")


def expected_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Balanced accuracy of guessing at random with the predicted probabilities (K, classes).

    This is the mean over the classes present of the probability that their trials' true class (K,) was given. It has the
    scale of balanced accuracy without its jumps of a whole trial, which are large where few trials validate a model.
    """
    given = probabilities[np.arange(len(truth)), truth]
    by_class = [np.mean(given[truth == label]) for label in np.unique(truth)]
    return float(np.mean(by_class)) if by_class else float("nan")
