"""Linear baselines of the paper: ridge and logistic regression from all bins of a trial to each of its bins.

Inputs and outputs are standardised on the training trials; the strength of the penalty is the one that the validation
trials prefer, for each target on its own. Shapes: K trials, T bins, N units, P input features.
"""

from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from neds.baselines.inputs import standardised
from neds.baselines.selection import BEST
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import AlignedSession

_STRENGTHS = tuple(10.0**power for power in range(-4, 5))


def predict_linear(session: AlignedSession) -> list[Predicted]:
    """Encoding and decoding of the test trials."""
    names = tuple(session.modalities)
    predicted = []
    for task in tasks_of(session.modalities, inputs=names, outputs=names):
        inputs = np.hstack([standardised(session, name).reshape(session.n_trials, -1) for name in task.observed])
        values = {}
        for name in task.targets:
            kind = session.modalities[name].kind
            candidates = _logistic(session, name, inputs) if kind == "categorical" else _ridge(session, name, inputs)
            values[name] = BEST[kind](session, name, candidates)
        predicted.append(Predicted(task, values))
    return predicted


def _ridge_path(session: AlignedSession, inputs: np.ndarray, outputs: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """Strengths, and predictions of `outputs` (K, Q) for all trials; trials with an unknown output do not train.

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
    eigenvalues = np.maximum(eigenvalues, 0)[:, None]
    for strength in _STRENGTHS:
        yield strength, scaler.inverse_transform(rotated_gram @ (rotated_outputs / (eigenvalues + strength)))


def _ridge(session: AlignedSession, name: str, inputs: np.ndarray) -> Iterator[np.ndarray]:
    """Predictions (K, T, ...) of each strength."""
    truth = session.values[name]
    path = _ridge_path(session, inputs, truth.reshape(len(truth), -1).astype(np.float64))
    return (predicted.reshape(truth.shape) for _, predicted in path)


def _logistic(session: AlignedSession, name: str, inputs: np.ndarray) -> Iterator[np.ndarray]:
    """Probabilities (K, classes) of each strength; a class that no training trial has gets 0."""
    truth, train = session.values[name], session.trials_of("train")
    train = train[truth[train] >= 0]
    present = np.unique(truth[train])
    for strength in _STRENGTHS:
        probabilities = np.zeros((len(truth), len(session.modalities[name].classes)))
        if len(present) < 2:
            probabilities[:, present] = 1.0
        else:
            model = LogisticRegression(C=1 / strength, max_iter=1000).fit(inputs[train], truth[train])
            probabilities[:, model.classes_] = model.predict_proba(inputs)
        yield probabilities
