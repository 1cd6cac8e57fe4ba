"""A multilayer perceptron that decodes each bin from the spikes of that bin and of those before it.

The baseline of the paper's Table 12. Shapes: K trials, k some of them, T bins, N units, H bins of history.
"""

from collections.abc import Iterable

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from neds.baselines.fitting import Given
from neds.baselines.inputs import flat, standard_of, standardised
from neds.baselines.registry import Baseline
from neds.baselines.selection import Fitted, chosen_fit
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task, tasks_of
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="mlp",
    rank=2,
    title="MLP",
    color="#DDAA33",
    summary="multilayer perceptron that decodes each bin from it and the 12 before",
    candidates=3,
)

HISTORY_BINS = 13
"""The bin itself among them (paper: Table 12)."""
_PENALTIES = (100.0, 10.0, 1.0)
_SETTINGS = {"hidden_layer_sizes": (128,), "early_stopping": True, "max_iter": 100, "random_state": 0}
"""Training stops by a tenth of the training samples that is set aside."""


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Decoding of the test trials."""
    names = tuple(session.modalities)
    return [
        Predicted(task, _predicted(session, task))
        for task in tasks_of(session.modalities, inputs=names, outputs=names)
        if task.name == "decoding"
    ]


def history(values: np.ndarray) -> np.ndarray:
    """Values (K, T, N) of each bin and of the H - 1 bins before it, (K, T, H N); 0 before the trial."""
    padded = np.pad(values, ((0, 0), (HISTORY_BINS - 1, 0), (0, 0)))
    return np.concatenate([padded[:, lag : lag + values.shape[1]] for lag in range(HISTORY_BINS)], axis=-1)


def _predicted(session: AlignedSession, task: Task) -> dict[str, np.ndarray]:
    """By target. Inputs and outputs are standardised on the training trials."""
    # In single precision, in which a fit takes half the time and memory.
    read = [standardised(session, name).astype(np.float32) for name in task.observed]
    per_bin = [values for values in read if values.ndim == 3]
    of_bins = history(np.concatenate(per_bin, axis=-1)) if per_bin else None
    of_trial = np.hstack([values.reshape(session.n_trials, -1) for values in read])
    predicted = {}
    for name in task.targets:
        if session.modalities[name].kind == "categorical":
            fits = _Classes(session, name, of_trial).fits
        else:
            inputs = of_trial if of_bins is None or session.values[name].ndim < 3 else of_bins
            fits = _Values(session, name, inputs).fits
        predicted[name] = chosen_fit(session, name, _PENALTIES, fits)
    return predicted


class _Values:
    """Regression of values per bin (K, T, width), or of one value per trial (K,)."""

    def __init__(self, session: AlignedSession, name: str, inputs: np.ndarray) -> None:
        values = session.values[name]
        self._standard, self._inputs, self._shape = standard_of(session, name), inputs, values.shape[1:]
        train = session.trials_of("train")
        truth = self._standard.standardised(flat(values[train]))
        per_sample = truth.reshape(-1, self._shape[-1]) if inputs.ndim == 3 else truth
        known = np.isfinite(per_sample).all(1)
        self._truth, self._read = (
            per_sample[known].astype(np.float32),
            inputs[train].reshape(len(per_sample), -1)[known],
        )

    def fits(self, penalty: float) -> Iterable[Fitted]:
        """Values (k, T, width), or (k,) of one per trial."""
        # One output is a vector to scikit-learn.
        truth = self._truth[:, 0] if self._truth.shape[1] == 1 else self._truth
        model = MLPRegressor(alpha=penalty, **_SETTINGS).fit(self._read, truth)

        def values(trials: np.ndarray) -> np.ndarray:
            read = self._inputs[trials]
            found = model.predict(read.reshape(-1, read.shape[-1])).reshape(len(trials), -1)
            return self._standard.restored(found).reshape(-1, *self._shape)

        yield values


class _Classes:
    """Classification of trials; a class that no training trial has gets a probability of 0."""

    def __init__(self, session: AlignedSession, name: str, inputs: np.ndarray) -> None:
        truth, train = session.values[name], session.trials_of("train")
        train = train[truth[train] >= 0]
        self._inputs, self._read, self._truth = inputs, inputs[train], truth[train]
        self._frequency = session.statistics[name]["frequency"]

    def fits(self, penalty: float) -> Iterable[Fitted]:
        """Probabilities (k, classes); those of the training trials for all where these know less than two classes."""
        if len(np.unique(self._truth)) < 2:
            yield lambda trials: np.tile(self._frequency, (len(trials), 1))
            return
        model = MLPClassifier(alpha=penalty, **_SETTINGS).fit(self._read, self._truth)

        def probabilities(trials: np.ndarray) -> np.ndarray:
            found = np.zeros((len(trials), len(self._frequency)))
            found[:, model.classes_] = model.predict_proba(self._inputs[trials])
            return found

        yield probabilities
