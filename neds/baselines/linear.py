"""Linear baselines of the paper: ridge and logistic regression from all bins of a trial to each of its bins.

Inputs and outputs are standardised on the training trials; the strength of the penalty is the one that the validation
trials prefer, for each target on its own. Shapes: K trials, T bins, N units, P input features.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from neds.evaluation.metrics import balanced_accuracy, bits_per_spike, r2
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task, tasks_of
from neds.files.aligned import AlignedSession

_STRENGTHS = tuple(10.0**power for power in range(-4, 5))
_LEAST_SHARE_OF_MEAN = (0.01, 0.03, 0.1, 0.3)


def predict_linear(session: AlignedSession) -> list[Predicted]:
    """Encoding and decoding of the test trials."""
    names = tuple(session.modalities)
    fit = {"counts": _counts, "continuous": _continuous, "categorical": _categorical}
    predicted = []
    for task in tasks_of(session.modalities, inputs=names, outputs=names):
        inputs = _features(session, task)
        values = {name: fit[session.modalities[name].kind](session, name, inputs) for name in task.targets}
        predicted.append(Predicted(task, values))
    return predicted


def _features(session: AlignedSession, task: Task) -> np.ndarray:
    """All bins of all observed modalities of each trial as one row, (K, P), standardised; unknown values at the mean."""
    columns = []
    for name in task.observed:
        modality, values = session.modalities[name], session.values[name]
        if modality.kind == "categorical":
            values = values[:, None] == np.arange(len(modality.classes))
        columns.append(values.reshape(len(values), -1).astype(np.float64))
    features = np.concatenate(columns, axis=1)
    features = StandardScaler().fit(features[session.trials_of("train")]).transform(features)
    return np.nan_to_num(features, copy=False)


def _ridge_path(session: AlignedSession, inputs: np.ndarray, outputs: np.ndarray) -> dict[float, np.ndarray]:
    """Predictions of `outputs` (K, Q) for all trials, by strength; trials with an unknown output do not train.

    Dual ridge regression: one eigendecomposition of the trials' Gram matrix serves every strength.
    """
    train = session.trials_of("train")
    train = train[np.isfinite(outputs[train]).all(1)]
    scaler = StandardScaler().fit(outputs[train])
    scaled = scaler.transform(outputs[train])
    gram = inputs @ inputs[train].T
    center = gram.mean(1, keepdims=True)
    gram = gram - center - center[train].T + center[train].mean()
    eigenvalues, vectors = np.linalg.eigh(gram[train])
    rotated_outputs, rotated_gram = vectors.T @ scaled, gram @ vectors
    # Rounding leaves eigenvalues a little below 0, which the weakest penalty would turn into poles.
    penalised = {strength: np.maximum(eigenvalues, 0)[:, None] + strength for strength in _STRENGTHS}
    return {s: scaler.inverse_transform(rotated_gram @ (rotated_outputs / p)) for s, p in penalised.items()}


def _continuous(session: AlignedSession, name: str, inputs: np.ndarray) -> np.ndarray:
    truth = session.values[name]
    val, test = session.trials_of("val"), session.trials_of("test")
    paths = _ridge_path(session, inputs, truth.reshape(len(truth), -1).astype(np.float64))
    best = max(paths.values(), key=lambda guess: r2(truth[val], guess[val].reshape(truth[val].shape)))
    return best[test].reshape(truth[test].shape)


def _counts(session: AlignedSession, name: str, inputs: np.ndarray) -> np.ndarray:
    """Ridge on the counts. A linear rate can be negative, so it is bounded below by a share of the unit's mean rate."""
    counts = session.values[name]
    val, test = session.trials_of("val"), session.trials_of("test")
    mean = session.statistics[name]["mean"]
    paths = _ridge_path(session, inputs, counts.reshape(len(counts), -1).astype(np.float64))
    candidates = ((path, share) for path in paths.values() for share in _LEAST_SHARE_OF_MEAN)

    def rates(path: np.ndarray, share: float, trials: np.ndarray) -> np.ndarray:
        return np.maximum(path[trials].reshape(counts[trials].shape), share * mean)

    best = max(candidates, key=lambda candidate: np.nanmean(bits_per_spike(rates(*candidate, val), counts[val])))
    return rates(*best, test)


def _categorical(session: AlignedSession, name: str, inputs: np.ndarray) -> np.ndarray:
    """Probabilities (k, classes) of the test trials; a class that no training trial has gets 0."""
    truth = session.values[name]
    train, val, test = (session.trials_of(split) for split in ("train", "val", "test"))
    train, val = train[truth[train] >= 0], val[truth[val] >= 0]
    present = np.unique(truth[train])
    probabilities = np.zeros((len(test), len(session.modalities[name].classes)))
    if len(present) < 2:
        probabilities[:, present] = 1.0
        return probabilities
    models = [LogisticRegression(C=1 / s, max_iter=1000).fit(inputs[train], truth[train]) for s in _STRENGTHS]
    best = max(models, key=lambda model: balanced_accuracy(truth[val], model.predict(inputs[val])))
    probabilities[:, best.classes_] = best.predict_proba(inputs[test])
    return probabilities
