"""Rates of regressions of spike counts: how they vary over trials, on an average over time that validation chooses.

The mean of each unit and bin over few training trials is noisy, and its noise costs more bits than a model gains. So it is
smoothed over time and shrunk to the unit's mean, both as much as the validation trials prefer. A fit to centred inputs
does not depend on the average that is added to it.

Shapes: K trials, k some of them, T bins, N units.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

from neds.baselines.selection import Fitted, along_penalties, best
from neds.files.aligned import AlignedSession

_SMOOTHING_BINS = (0.0, 1.0, 2.0, 4.0, 8.0)
_SHARES_OF_VARIATION = (1.0, 0.75, 0.5, 0.25, 0.0)
_LEAST_SHARES_OF_MEAN = (0.1, 0.01, 0.03, 0.3)
"""A linear rate can be negative, so it is bounded below by a share of the unit's mean rate; the first is the bound while the
rest is chosen."""


def time_average(mean: np.ndarray, *, smoothing_bins: float, share: float) -> np.ndarray:
    """Average over trials (T, N), smoothed over bins by a Gaussian of this width, with this share of its variation over
    time around each unit's mean.
    """
    smooth = gaussian_filter1d(mean, smoothing_bins, axis=0) if smoothing_bins else mean
    of_unit = mean.mean(0)
    return of_unit + share * (smooth - of_unit)


class ValidationBits:
    """Mean bits per spike of the units that have spikes in training and validation trials.

    As `neds.evaluation.metrics.bits_per_spike` has them, but faster: only bins with spikes need a logarithm.
    """

    def __init__(self, counts: np.ndarray, trained: np.ndarray) -> None:
        """Of counts (k, T, N) and the mask `trained` (N,) of units with training spikes."""
        n_spikes, n_bins = counts.sum((0, 1), dtype=np.float64), counts.shape[0] * counts.shape[1]
        self._units = np.flatnonzero(trained & (n_spikes > 0))
        n_spikes, own = n_spikes[self._units], counts[..., self._units]
        weights = 1 / (n_spikes * np.log(2) * max(len(self._units), 1))
        self._rate_weights = weights.astype(np.float32)
        self._spikes = np.flatnonzero(own)
        self._spike_weights = (own * self._rate_weights).ravel()[self._spikes]
        self._null = float((weights * n_spikes * (1 - np.log(n_spikes / n_bins))).sum())

    def __call__(self, rates: np.ndarray) -> float:
        """Of rates (k, T, N) above zero; NaN where no unit counts."""
        if not len(self._units):
            return float("nan")
        own = rates if len(self._units) == rates.shape[-1] else rates[..., self._units]
        gain = self._spike_weights @ np.log(own.reshape(-1)[self._spikes])
        # Over bins in 32 bits, which is faster and exact enough for their number.
        return float(gain - own.sum(1).sum(0, dtype=np.float64) @ self._rate_weights + self._null)


def chosen_average(
    session: AlignedSession, name: str, bits: ValidationBits, deviation: np.ndarray | None = None
) -> np.ndarray:
    """The average over training trials (T, N), float32, that validation prefers with a deviation (k, T, N) of its trials.

    It is at least the first of `_LEAST_SHARES_OF_MEAN` of the unit's mean.
    """
    unit_mean = session.statistics[name]["mean"]
    mean = session.values[name][session.trials_of("train")].mean(0)
    if deviation is None:
        deviation = np.zeros((len(session.trials_of("val")), *mean.shape), np.float32)
    least = (_LEAST_SHARES_OF_MEAN[0] * unit_mean).astype(np.float32)
    averages = [
        np.maximum(time_average(mean, smoothing_bins=width, share=share).astype(np.float32), least)
        for width, share in itertools.product(_SMOOTHING_BINS, _SHARES_OF_VARIATION)
    ]
    rates = np.empty_like(deviation)

    def validation(average: np.ndarray) -> float:
        np.add(average, deviation, out=rates)
        return bits(np.maximum(rates, least, out=rates))

    return best(session, name, averages, validation)[0]


def chosen_rates(
    session: AlignedSession, name: str, penalties: Sequence[float], fits: Callable[[float], Iterable[Fitted]]
) -> np.ndarray:
    """Expected spikes (k, T, N) of the test trials by the fit, average and lower bound that validation prefers.

    Chosen one after the other, twice around: average, then penalty and what else the fits have; then the lower bound.

    Args:
        penalties: the grid, in descending steps of one ratio.
        fits: of a penalty, predicting the deviations (k, T, N) of counts from their mean over training trials.
    """
    counts, unit_mean = session.values[name], session.statistics[name]["mean"].astype(np.float32)
    val, test = session.trials_of("val"), session.trials_of("test")
    bits = ValidationBits(counts[val], unit_mean > 0)

    def rates(fit: Fitted, trials: np.ndarray, average: np.ndarray, least_share: float) -> np.ndarray:
        found = fit(trials).astype(np.float32, copy=False) + average
        return np.maximum(found, np.float32(least_share) * unit_mean, out=found)

    average, least = chosen_average(session, name, bits), _LEAST_SHARES_OF_MEAN[0]

    def choose(average: np.ndarray) -> Fitted:
        return along_penalties(session, name, penalties, fits, lambda fit: bits(rates(fit, val, average, least)))

    average = chosen_average(session, name, bits, choose(average)(val))
    fit = choose(average)
    least, _ = best(session, name, _LEAST_SHARES_OF_MEAN, lambda share: bits(rates(fit, val, average, share)))
    return rates(fit, test, average, least)
