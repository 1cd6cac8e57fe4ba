"""Calibration: whether classes occur as often as predicted, and whether rates change as much as predicted.

Shapes: K trials, T bins, N units, C classes.
"""

import numpy as np
import pandas as pd

N_BINS = 10
LARGEST_SLOPE_ERROR = 0.5
"""Standard error of a calibration slope at which 1, calibrated, is two of them from 0, unrelated."""


def confidence_bins(probabilities: np.ndarray, truth: np.ndarray, *, n_bins: int = N_BINS) -> pd.DataFrame:
    """Trials grouped by the probability of their most probable class, in bins of equal width between chance and 1.

    Args:
        probabilities: (K, C).
        truth: (K,) class, -1 where unknown: these trials are left out.

    Returns:
        A row per bin that has trials: low, high, n_trials, n_right, confidence (mean probability), accuracy.
    """
    known = truth >= 0
    probabilities, truth = probabilities[known], truth[known]
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    edges = np.linspace(1 / probabilities.shape[1], 1, n_bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, n_bins - 1)
    table = pd.DataFrame({"bin": place, "confidence": confidence, "right": right})
    bins = table.groupby("bin", as_index=False).agg(
        n_trials=("right", "size"),
        n_right=("right", "sum"),
        confidence=("confidence", "mean"),
        accuracy=("right", "mean"),
    )
    return bins.assign(low=edges[bins["bin"]], high=edges[bins["bin"] + 1]).drop(columns="bin")


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Mean over trials of |accuracy - confidence| of their bin (Guo et al. 2017); NaN without trials.

    With few trials a bin it is above 0 for a calibrated model too: accuracy in a bin of n trials errs by chance by about
    sqrt(p (1 - p) / n).

    Args:
        bins: of `confidence_bins`.
    """
    n_trials = bins["n_trials"].sum()
    error = (bins["accuracy"] - bins["confidence"]).abs() @ bins["n_trials"]
    return float(error / n_trials) if n_trials else float("nan")


def calibration_slope(rates: np.ndarray, counts: np.ndarray, *, units: np.ndarray | None = None) -> float:
    """Slope of counts over predicted rates within units: by how much of a predicted change of its rate a unit's changes.

    1 is calibrated; below 1 the rates are overconfident, above 1 they vary too little. It is the slope of the regression of
    outcomes on forecasts (Mincer & Zarnowitz 1969) with an intercept per unit, by least squares weighted by the inverse of
    each unit's mean count, the variance of a Poisson variable. NaN where predicted rates vary so little that the standard
    error of the slope, of Poisson counts, is above `LARGEST_SLOPE_ERROR`: it would be of chance alone.

    Args:
        rates: (K, T, N) expected spikes per bin.
        counts: (K, T, N) spikes.
        units: (N,) which units to take; all when omitted.
    """
    mean, mean_rate = counts.mean((0, 1), dtype=np.float64), rates.mean((0, 1), dtype=np.float64)
    together, of_rates = np.zeros_like(mean), np.zeros_like(mean)
    with np.errstate(invalid="ignore"):
        # A trial at a time, which fits a cache.
        for own_rates, own_counts in zip(rates, counts, strict=True):
            deviation = own_rates - mean_rate
            together += (deviation * own_counts).sum(0)
            of_rates += np.square(deviation).sum(0)
    taken = mean > 0 if units is None else (mean > 0) & units
    together, of_rates, mean = (values[taken] for values in (together, of_rates, mean))
    # The inverse of the slope's variance.
    change = (of_rates / mean).sum()
    return float((together / mean).sum() / change) if change * LARGEST_SLOPE_ERROR**2 >= 1 else float("nan")
