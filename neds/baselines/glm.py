"""Poisson regression (GLM) of each unit's spikes on the behaviours, in the form that is common for encoding models.

The log rate of unit n in bin t of trial k is that of the average over trials, smoothed and shrunk as validation prefers
(`neds.baselines.rates`), plus what the traces of behaviour around that bin add, each by a smooth function of the lag, plus
what each class or value of the trial adds, by a smooth function of time. Weights but those of the constant have a squared
penalty, of the strength that the validation trials prefer. Source: Truccolo et al. 2005, "A point process framework for
relating neural spiking activity to spiking history, neural ensemble, and extrinsic covariate effects".

Shapes: K trials, k some of them, T bins, N units, P columns of the design, M bins of all training trials.
"""

from collections.abc import Iterable

import numpy as np

from neds.baselines.design import design
from neds.baselines.fitting import Given
from neds.baselines.from_units import around_bins
from neds.baselines.rates import ValidationBits, chosen_average
from neds.baselines.registry import Baseline
from neds.baselines.selection import along_penalties
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task, tasks_of
from neds.evaluation.unit_tasks import scored_part
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="glm",
    rank=2,
    title="Poisson GLM",
    color="#44AA99",
    summary="Poisson regression of spikes on behaviour",
    predicts_units=True,
    decodes_classes=False,
    candidates=4,
    of_spikes=True,
)

_PENALTIES = tuple(10.0 ** (power / 2) for power in (7, 6, 5, 4))
_N_STEPS, _LEAST_GAIN = 30, 1e-6
_LARGEST_LOG_RATE = 10.0
"""Spikes per bin, so that exponentials stay finite."""


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Encoding and co-smoothing of the test trials; needs no other file."""
    names = tuple(session.modalities)
    predicted = []
    for task in tasks_of(session.modalities, inputs=names, outputs=names):
        counts = tuple(name for name in task.targets if session.modalities[name].kind == "counts")
        if task.name == "encoding" and counts:
            columns = design(session, task.observed)
            values = {name: _rates(session, name, columns) for name in counts}
            predicted.append(Predicted(Task(task.name, task.observed, counts), values))
    for task in given.tasks_of_units(session):
        if task.held_out:
            part, columns = scored_part(session, task), around_bins(session, task)
            predicted.append(Predicted(task, {name: _rates(part, name, columns) for name in task.targets}))
    return predicted


def _rates(session: AlignedSession, name: str, columns: np.ndarray) -> np.ndarray:
    """Expected spikes (k, T, N) of the test trials."""
    counts, trained = session.values[name], session.statistics[name]["mean"] > 0
    train, val, test = (session.trials_of(split) for split in ("train", "val", "test"))
    bits = ValidationBits(counts[val], trained)
    average = np.log(chosen_average(session, name, bits)[:, trained])
    own = counts[train][..., trained].astype(np.float32).reshape(-1, trained.sum())
    offsets = np.tile(average, (len(train), 1))
    regression = PoissonRegression(columns[train].reshape(len(own), -1), own, offsets)

    def rates(weights: np.ndarray, trials: np.ndarray) -> np.ndarray:
        found = np.zeros((len(trials), *counts.shape[1:]), np.float32)
        found[..., trained] = np.exp(np.minimum(columns[trials] @ weights + average, _LARGEST_LOG_RATE))
        return found

    def fits(penalty: float) -> Iterable[np.ndarray]:
        yield regression.fit(penalty)

    weights = along_penalties(session, name, _PENALTIES, fits, lambda weights: bits(rates(weights, val)))
    return rates(weights, test)


class PoissonRegression:
    """Regressions of counts (M, N) on the same columns (M, P), with a log link and offsets (M, N).

    The first column is constant. Each unit's weights minimise the sum of (rate - count log rate) over bins, plus penalty / 2
    times the square of all weights but the first. Newton's method takes the curvature for that at the unit's mean rate, so
    that one eigendecomposition serves all units and penalties; a step that does not lower a unit's objective is halved. A
    fit starts where the one before ended.
    """

    def __init__(self, columns: np.ndarray, counts: np.ndarray, offsets: np.ndarray) -> None:
        self._mean = columns.mean(0)
        self._mean[0] = 0.0
        self._columns, self._offsets = columns - self._mean, offsets
        self._targets = self._columns.T @ counts
        self._rate = counts.mean(0)
        energy, self._vectors = np.linalg.eigh(self._columns[:, 1:].T @ self._columns[:, 1:])
        self._energy = np.maximum(energy, 0)
        self._weights = np.zeros((columns.shape[1], counts.shape[1]), np.float32)
        self._weights[0] = np.log(self._rate / np.exp(offsets).mean(0))

    def fit(self, penalty: float) -> np.ndarray:
        """Weights (P, N)."""
        weights = self._weights
        penalties = np.full((len(weights), 1), penalty, np.float32)
        penalties[0] = 0
        scale = np.ones(weights.shape[1], np.float32)
        objective, slope = self._objective(weights, penalties)
        for _ in range(_N_STEPS):
            step = self._newton(slope, penalty)
            trial = weights - scale * step
            value, trial_slope = self._objective(trial, penalties)
            better = value <= objective
            gained = np.where(better, objective - value, 0).sum()
            weights, slope = np.where(better, trial, weights), np.where(better, trial_slope, slope)
            objective = np.where(better, value, objective)
            scale = np.where(better, np.minimum(2 * scale, 1), scale / 2)
            if better.all() and gained < _LEAST_GAIN * np.abs(objective).sum():
                break
        self._weights = weights
        # The columns as they were given: what was taken from them goes into the constant.
        shifted = weights.copy()
        shifted[0] -= self._mean @ weights
        return shifted

    def _objective(self, weights: np.ndarray, penalties: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each unit (N,), and its gradient (P, N)."""
        log_rates = self._columns @ weights
        log_rates += self._offsets
        value = -np.sum(weights * self._targets, 0, dtype=np.float64)
        rates = np.exp(np.minimum(log_rates, _LARGEST_LOG_RATE, out=log_rates), out=log_rates)
        value += rates.sum(0, dtype=np.float64)
        value += np.sum(penalties * np.square(weights), 0, dtype=np.float64) / 2
        return value, self._columns.T @ rates - self._targets + penalties * weights

    def _newton(self, slope: np.ndarray, penalty: float) -> np.ndarray:
        """Change of the weights (P, N) for a slope (P, N)."""
        curvature = self._energy[:, None] * self._rate + penalty
        rotated = (self._vectors.T @ slope[1:]) / curvature
        return np.concatenate([slope[:1] / (len(self._columns) * self._rate), self._vectors @ rotated])
