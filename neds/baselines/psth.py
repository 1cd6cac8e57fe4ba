"""The trial-average (PSTH) model: every trial is predicted as an average over training trials.

It is given only what its task observes. Encoding observes the behaviours: a trial is predicted as the average of the trials
with the same values of all categorical behaviours (choice x block, of the paper's set). Decoding observes spikes, of which
an average takes no notice: a trial is predicted as the average of all.

Averages of few trials are noisy, so they are shrunk to the average of all trials and smoothed in time, both as much as
the validation trials prefer.
"""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from neds.baselines.fitting import Given
from neds.baselines.registry import Baseline
from neds.baselines.selection import best
from neds.evaluation.metrics import bits_per_spike, mean_of_known, r2_by_column
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task
from neds.evaluation.unit_tasks import scored_part
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="psth",
    rank=0,
    title="trial average",
    color="#BBBBBB",
    summary="average of the trials of a condition",
    needs="conditions",
    decodes_classes=False,
    predicts_units=True,
    candidates=20,
)

_SMOOTHING_BINS = (0.0, 1.0, 2.0, 4.0)
_SHRINKAGE_TRIALS = (0.5, 2.0, 8.0, 32.0, 1e6)


def predict_psth(session: AlignedSession) -> list[Predicted]:
    """Predict the test trials of all modalities but categorical ones: the neural as encoding, behaviour as decoding."""
    condition = observed_condition(session)
    ways = {
        "neural": ("encoding", "condition", condition),
        "behaviour": ("decoding", "time", np.zeros_like(condition)),
    }
    predicted = []
    for group, (task, observed, label) in ways.items():
        names = [m.name for m in session.modalities.values() if m.group == group and m.kind != "categorical"]
        values = {name: _best_average(session, name, label) for name in names}
        predicted.append(Predicted(Task(task, (observed,), tuple(names)), values))
    return predicted


def observed_condition(session: AlignedSession) -> np.ndarray:
    """Index (K,) of each trial's combination of values of the categorical behaviours; 0 where there is none."""
    names = [m.name for m in session.modalities.values() if m.kind == "categorical" and m.group == "behaviour"]
    if not names:
        return np.zeros(session.n_trials, np.int64)
    factors = pd.DataFrame({name: session.values[name] for name in names})
    return factors.groupby(names, sort=True).ngroup().to_numpy(np.int64)


class ConditionAverages:
    """Averages over the training trials of each condition."""

    def __init__(self, values: np.ndarray, condition: np.ndarray):
        """
        Args:
            values: (K, T, ...) of the training trials; NaN is left out. A bin known in none of them gets the mean over bins.
            condition: (K,) of the training trials.
        """
        known = np.isfinite(values)
        filled, number = np.where(known, values, 0), known.sum(0)
        overall = filled.sum((0, 1)) / np.maximum(number.sum(0), 1)
        self._of_all = np.where(number > 0, filled.sum(0) / np.maximum(number, 1), overall)
        own = {label: condition == label for label in np.unique(condition)}
        self._sums = {label: (filled[rows].sum(0), known[rows].sum(0)) for label, rows in own.items()}

    def predict(self, wanted: np.ndarray, *, smoothing_bins: float, shrinkage_trials: float) -> np.ndarray:
        """Average of each wanted condition, (k, T, ...).

        Args:
            wanted: (k,) conditions to predict; one without training trials gets the average of all trials.
            smoothing_bins: standard deviation of the Gaussian smoothing over bins; 0 for none.
            shrinkage_trials: weight of the average of all trials, in trials.
        """
        averages = {}
        for label in np.unique(wanted):
            total, number = self._sums.get(label, (0.0, 0))
            average = (total + shrinkage_trials * self._of_all) / (number + shrinkage_trials)
            averages[label] = gaussian_filter1d(average, smoothing_bins, axis=0) if smoothing_bins else average
        return np.stack([averages[label] for label in wanted])


def _best_average(session: AlignedSession, name: str, condition: np.ndarray) -> np.ndarray:
    own = session.values[name].astype(np.float32)
    # One value per trial is that of a single bin.
    values = own if own.ndim > 1 else own[:, None, None]
    train, val, test = (session.trials_of(split) for split in ("train", "val", "test"))
    counts = session.modalities[name].kind == "counts"

    averages = ConditionAverages(values[train], condition[train])

    def average(wanted: np.ndarray, smoothing: float, shrinkage: float) -> np.ndarray:
        return averages.predict(wanted, smoothing_bins=smoothing, shrinkage_trials=shrinkage)

    def validation(choice: tuple[float, float]) -> float:
        guess = average(condition[val], *choice)
        return mean_of_known(bits_per_spike(guess, values[val]) if counts else r2_by_column(values[val], guess))

    choice, _ = best(session, name, itertools.product(_SMOOTHING_BINS, _SHRINKAGE_TRIALS), validation)
    return average(condition[test], *choice).reshape(-1, *own.shape[1:])


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """As `predict_psth`; and co-smoothing and forecasting, by the average of all trials. Needs no other file."""
    predicted, of_all = predict_psth(session), np.zeros(session.n_trials, np.int64)
    for task in given.tasks_of_units(session):
        part = scored_part(session, task)
        values = {name: _best_average(part, name, of_all) for name in task.targets}
        predicted.append(Predicted(replace(task, observed=("time",)), values))
    return predicted
