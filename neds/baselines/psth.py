"""The condition-average (PSTH) model: predict of every trial its condition's average over the training trials.

Averages of few trials are noisy, so they are shrunk to the average of all trials and smoothed in time, both as much as
the validation trials prefer. A condition is the trial's choice x block x reward, which this model is told.
"""

import itertools

import numpy as np
from scipy.ndimage import gaussian_filter1d

from neds.evaluation.metrics import bits_per_spike, mean_of_known, r2_by_column
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task
from neds.files.aligned import AlignedSession

_SMOOTHING_BINS = (0.0, 1.0, 2.0, 4.0)
_SHRINKAGE_TRIALS = (0.5, 2.0, 8.0, 32.0, 1e6)


def predict_psth(session: AlignedSession) -> list[Predicted]:
    """Predict the test trials of all counts modalities (as encoding) and continuous ones (as decoding)."""
    predicted = []
    for group, task in (("neural", "encoding"), ("behaviour", "decoding")):
        names = [m.name for m in session.modalities.values() if m.group == group and m.kind != "categorical"]
        values = {name: _best_average(session, name) for name in names}
        predicted.append(Predicted(Task(task, ("condition",), tuple(names)), values))
    return predicted


def condition_model(
    values: np.ndarray,
    condition: np.ndarray,
    wanted: np.ndarray,
    *,
    smoothing_bins: float,
    shrinkage_trials: float,
) -> np.ndarray:
    """Average of each wanted condition, (k, T, ...).

    Args:
        values: (K, T, ...) of the training trials; NaN is left out.
        condition: (K,) of the training trials.
        wanted: (k,) conditions to predict; one without training trials gets the average of all trials.
        smoothing_bins: standard deviation of the Gaussian smoothing over bins; 0 for none.
        shrinkage_trials: weight of the average of all trials, in trials.
    """
    everything = np.nanmean(values, axis=0)
    averages = {}
    for label in np.unique(wanted):
        own = values[condition == label]
        number = np.isfinite(own).sum(0)
        average = (np.nansum(own, axis=0) + shrinkage_trials * everything) / (number + shrinkage_trials)
        averages[label] = gaussian_filter1d(average, smoothing_bins, axis=0) if smoothing_bins else average
    return np.stack([averages[label] for label in wanted])


def _best_average(session: AlignedSession, name: str) -> np.ndarray:
    values = session.values[name].astype(np.float32)
    condition = session.trials["condition"].to_numpy()
    train, val, test = (session.trials_of(split) for split in ("train", "val", "test"))
    counts = session.modalities[name].kind == "counts"

    def average(wanted: np.ndarray, smoothing: float, shrinkage: float) -> np.ndarray:
        return condition_model(
            values[train], condition[train], wanted, smoothing_bins=smoothing, shrinkage_trials=shrinkage
        )

    def validation(choice: tuple[float, float]) -> float:
        guess = average(condition[val], *choice)
        return mean_of_known(bits_per_spike(guess, values[val]) if counts else r2_by_column(values[val], guess))

    best = max(itertools.product(_SMOOTHING_BINS, _SHRINKAGE_TRIALS), key=validation)
    return average(condition[test], *best)
