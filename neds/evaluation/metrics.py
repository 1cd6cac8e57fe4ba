"""Definitions of every score, as plain functions of arrays.

Shapes: K trials, T bins, N units, C conditions. NaN in a truth array means unknown and is left out, of the prediction too.
A score that is not defined is NaN.
"""

import numpy as np

LEAST_RELATIVE_STD = 1e-6
"""A truth whose standard deviation is at most this share of its largest absolute value is constant: 32-bit floats resolve
a little more than a tenth of it."""
_SMALLEST_RATE = 1e-9


def log_likelihood(rates: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Poisson log-likelihood (K, N) of each trial, in nats, without log(counts!), which no difference of two has.

    Args:
        rates: (K, T, N), or (N,) of all bins alike, expected spikes per bin.
        counts: (K, T, N) spikes.
    """
    if rates.ndim == 1:
        return counts.sum(1, dtype=np.float64) * np.log(np.maximum(rates, _SMALLEST_RATE)) - counts.shape[1] * rates
    found = np.empty((counts.shape[0], counts.shape[2]))
    with np.errstate(invalid="ignore", over="ignore"):
        # A trial at a time, which fits a cache.
        for row, own_rates, own_counts in zip(found, rates, counts, strict=True):
            log_rates = np.log(np.maximum(own_rates, _SMALLEST_RATE, dtype=np.float64))
            row[:] = (own_counts * log_rates - own_rates).sum(0)
    return found


def bits_per_spike(
    rates: np.ndarray,
    counts: np.ndarray,
    null_rates: np.ndarray | None = None,
    *,
    likelihood: np.ndarray | None = None,
) -> np.ndarray:
    """Poisson log-likelihood gain over a constant rate, in bits per spike of each unit (N,).

    (log L(rates) - log L(null)) / (n_spikes ln 2). The NEDS paper reports its mean over units; `pooled_bits_per_spike` is
    what benchmarks report. NaN for a unit without a spike, without a null rate above 0, or with a rate that is not finite.

    Args:
        rates: (K, T, N) expected spikes per bin.
        counts: (K, T, N) spikes.
        null_rates: (N,) expected spikes per bin of the null model; each unit's mean over `counts` when omitted.
        likelihood: `log_likelihood` of the rates, where it has been computed.
    """
    n_spikes = counts.sum((0, 1), dtype=np.float64)
    gain = bits_by_trial(rates, counts, null_rates, likelihood=likelihood).sum(0)
    return np.divide(gain, n_spikes, out=np.full(len(n_spikes), np.nan), where=n_spikes > 0)


def bits_by_trial(
    rates: np.ndarray,
    counts: np.ndarray,
    null_rates: np.ndarray | None = None,
    *,
    likelihood: np.ndarray | None = None,
) -> np.ndarray:
    """Poisson log-likelihood gain (K, N) of each trial over a constant rate, in bits; arguments as of `bits_per_spike`."""
    if null_rates is None:
        null_rates = counts.mean((0, 1), dtype=np.float64)
    if likelihood is None:
        likelihood = log_likelihood(rates, counts)
    gain = (likelihood - log_likelihood(null_rates, counts)) / np.log(2)
    return np.where((null_rates > 0) & np.isfinite(likelihood).all(0), gain, np.nan)


def pooled_bits_per_spike(bits: np.ndarray, n_spikes: np.ndarray) -> float:
    """Bits per spike of all units together: the log-likelihood gain summed over units, by the spikes of all of them.

    This is the `bits_per_spike` (co-bps) of the Neural Latents Benchmark (Pei et al. 2021) and the `bps` of BrainWideBench:
    the mean of `bits_per_spike` over spikes, in which a unit counts as much as it fires.

    Args:
        bits: (N,) bits per spike of each unit; a unit without (NaN) is left out, as in BrainWideBench.
        n_spikes: (N,) spikes.
    """
    known = np.isfinite(bits)
    return float(np.average(bits[known], weights=n_spikes[known])) if known.any() else float("nan")


def poisson_deviance(rates: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Deviance (K, N) of each trial, 2 (log L(counts) - log L(rates)) under a Poisson (McCullagh and Nelder 1989).

    Args:
        rates: (K, T, N), or (N,) of all bins alike, expected spikes per bin.
        counts: (K, T, N) spikes.
    """
    return 2 * (log_likelihood(counts, counts) - log_likelihood(rates, counts))


def poisson_d2(rates: np.ndarray, counts: np.ndarray, *, likelihood: np.ndarray | None = None) -> np.ndarray:
    """Share of the Poisson deviance of each unit (N,) that the rates explain; 1 is reached by rates equal to the counts.

    1 - D(rates) / D(mean rate) (Cameron & Windmeijer 1996). Its mean over units is the `poisson_d2` of BrainWideBench. NaN
    for a unit without a spike, with the same count in every bin, or with a rate that is not finite.

    Args:
        rates: (K, T, N) expected spikes per bin.
        counts: (K, T, N) spikes.
        likelihood: `log_likelihood` of the rates, where it has been computed.
    """
    if likelihood is None:
        likelihood = log_likelihood(rates, counts)
    of_mean = log_likelihood(counts.mean((0, 1), dtype=np.float64), counts).sum(0)
    reachable = log_likelihood(counts, counts).sum(0) - of_mean
    defined = (counts != counts[:1, :1]).any((0, 1)) & np.isfinite(likelihood).all(0)
    return np.divide(likelihood.sum(0) - of_mean, reachable, out=np.full(len(of_mean), np.nan), where=defined)


def r2(truth: np.ndarray, predicted: np.ndarray, *, least_std: float = 0.0) -> float:
    """Coefficient of determination over all known values.

    NaN when the truth does not vary: its standard deviation is at most `least_std`, or `LEAST_RELATIVE_STD` of its
    largest absolute value.
    """
    return float(r2_by_column(truth[..., None], predicted[..., None], least_std=least_std)[0])


def r2_by_column(truth: np.ndarray, predicted: np.ndarray, *, least_std: np.ndarray | float = 0.0) -> np.ndarray:
    """R2 (width,) of each column of (K, T, width), which may have units of their own; `least_std` (width,) as of `r2`."""
    width = truth.shape[-1]
    truth, predicted = (values.reshape(-1, width).astype(np.float64) for values in (truth, predicted))
    known = np.isfinite(truth)
    truth, predicted = np.where(known, truth, 0.0), np.where(known, predicted, 0.0)
    n_known = np.maximum(known.sum(0), 1)
    of_mean = (np.square(truth - truth.sum(0) / n_known) * known).sum(0)
    defined = (np.sqrt(of_mean / n_known) > _least_std(truth, least_std)) & np.isfinite(predicted).all(0)
    with np.errstate(invalid="ignore"):
        left = np.square(truth - predicted).sum(0)
    return 1 - np.divide(left, of_mean, out=np.full(width, np.nan), where=defined)


def _least_std(truth: np.ndarray, least_std: np.ndarray | float) -> np.ndarray:
    """Standard deviation (width,) up to which columns of (samples, width) are constant; `least_std` as of `r2`."""
    return np.maximum(least_std, LEAST_RELATIVE_STD * np.abs(truth).max(0, initial=0) + np.finfo(np.float32).tiny)


def r2_weighted(truth: np.ndarray, predicted: np.ndarray, *, least_std: np.ndarray | float = 0.0) -> float:
    """R2 over the columns of (K, T, width) weighted by variance: the share of all variance that is explained.

    Columns whose truth does not vary (`least_std` (width,), as of `r2`) take no part; NaN when none does.
    """
    known = np.isfinite(truth).all(-1)
    truth, predicted = truth[known].astype(np.float64), predicted[known].astype(np.float64)
    if not len(truth):
        return float("nan")
    varies = truth.std(0) > _least_std(truth, least_std)
    truth, predicted = truth[:, varies], predicted[:, varies]
    if not varies.any() or not np.isfinite(predicted).all():
        return float("nan")
    return float(1 - np.square(truth - predicted).sum() / np.square(truth - truth.mean(0)).sum())


def mean_of_known(values: object) -> float:
    """Mean over the values that are known; NaN when there are none."""
    values = np.asarray(values, dtype=np.float64)
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def condition_averages(
    values: np.ndarray, condition: np.ndarray, *, known: np.ndarray | None = None, min_trials: int = 2
) -> np.ndarray:
    """Trial average of each condition that has at least `min_trials` trials, (C, T, ...).

    Args:
        values: (K, T, ...).
        condition: (K,) label of each trial's condition.
        known: (K, T, ...) which values count; those that are finite when omitted. An average of fewer than `min_trials`
            of them is NaN.
    """
    labels, number = np.unique(condition, return_counts=True)
    known = np.isfinite(values) if known is None else known
    filled = np.where(known, values, 0.0)
    averages = [np.zeros((0, *values.shape[1:]))]
    for label in labels[number >= min_trials]:
        own = condition == label
        n_known = known[own].sum(0)
        average = filled[own].sum(0) / np.maximum(n_known, 1)
        averages.append(np.where(n_known >= min_trials, average, np.nan)[None])
    return np.concatenate(averages)


def r2_psth(truth: np.ndarray, predicted: np.ndarray, condition: np.ndarray, *, least_std: float = 0.0) -> float:
    """R2 between the condition averages of truth and prediction, both (K, T), over conditions and bins.

    Both are averaged over the trials whose truth is known; an average of fewer than two does not count.
    """
    known = np.isfinite(truth)
    averages = [condition_averages(values, condition, known=known) for values in (truth, predicted)]
    return r2(*averages, least_std=least_std)


def r2_residual(truth: np.ndarray, predicted: np.ndarray, condition: np.ndarray, *, least_std: float = 0.0) -> float:
    """R2 of single-trial deviations: truth and prediction, both (K, T), each less its own condition average.

    The averages are those of `r2_psth`. Values that have none, such as those of a trial whose condition occurs once, are
    left out.
    """
    labels, number = np.unique(condition, return_counts=True)
    kept = np.isin(condition, labels[number >= 2])
    truth, predicted, condition = truth[kept], predicted[kept], condition[kept]
    row, known = np.unique(condition, return_inverse=True)[1], np.isfinite(truth)
    deviations = [values - condition_averages(values, condition, known=known)[row] for values in (truth, predicted)]
    # What rounding leaves of a constant trace is small against the trace, not against itself.
    rounding = LEAST_RELATIVE_STD * np.abs(truth[known]).max(initial=0)
    return r2(*deviations, least_std=max(least_std, rounding))


def accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Share of trials whose class (K,) was predicted."""
    return float(np.mean(truth == predicted)) if len(truth) else float("nan")


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over the classes present of the share of their trials that was predicted; NaN with fewer than two present.

    Of a single class nothing is told apart: a model that always says it would be right in all trials. Chance is one over
    the number of classes present.
    """
    recalls = [np.mean(predicted[truth == label] == label) for label in np.unique(truth)]
    return float(np.mean(recalls)) if len(recalls) > 1 else float("nan")


def expected_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Balanced accuracy of guessing at random with the predicted probabilities (K, classes).

    This is the mean over the classes present of the probability that their trials' true class (K,) was given. It has the
    scale of balanced accuracy without its jumps of a whole trial, which are large where few trials validate a model. NaN
    with fewer than two classes present, as there.
    """
    given = probabilities[np.arange(len(truth)), truth]
    by_class = [np.mean(given[truth == label]) for label in np.unique(truth)]
    return float(np.mean(by_class)) if len(by_class) > 1 else float("nan")
