"""Linear baselines of the paper: ridge and logistic regression from all bins of a trial to each of its bins.

Inputs and outputs are standardised on the training trials; the strength of the penalty is the one that the validation
trials prefer, for each target on its own. Shapes: K trials, T bins, N units, P input features.
"""

from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import LogisticRegression

from neds.baselines.fitting import Given
from neds.baselines.inputs import flat, scaler_of, standardised
from neds.baselines.registry import Baseline
from neds.baselines.selection import BEST
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="linear",
    rank=1,
    title="linear",
    color="#009E73",
    summary="ridge and logistic regression",
)

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


def _ridge_path(inputs: np.ndarray, outputs: np.ndarray, train: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """Strengths, and predictions of standardised `outputs` (K, Q) for all trials.

    Each output is fitted to the training trials in which it is known; one that is known in none is predicted as 0.
    """
    known = np.isfinite(outputs[train])
    if known.all():
        yield from _dual_ridge(inputs, outputs, train)
        return
    # Outputs that are known in the same trials share a fit, of which only the predictions are kept.
    patterns, pattern_of = np.unique(known, axis=1, return_inverse=True)
    predicted = np.zeros((len(_STRENGTHS), *outputs.shape))
    for index, pattern in enumerate(patterns.T):
        columns = np.flatnonzero(pattern_of.ravel() == index)
        if pattern.any():
            path = _dual_ridge(inputs, outputs[:, columns], train[pattern])
            for place, (_, values) in enumerate(path):
                predicted[place][:, columns] = values
    yield from zip(_STRENGTHS, predicted, strict=True)


def _dual_ridge(inputs: np.ndarray, outputs: np.ndarray, train: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """Strengths, and predictions of `outputs` (K, Q) for all trials, fitted with an intercept to trials that know them all.

    Dual ridge regression: one eigendecomposition of the trials' Gram matrix serves every strength.
    """
    offset = outputs[train].mean(0)
    gram = inputs @ inputs[train].T
    center = gram.mean(1, keepdims=True)
    gram = gram - center - center[train].T + center[train].mean()
    eigenvalues, vectors = np.linalg.eigh(gram[train])
    rotated_outputs, rotated_gram = vectors.T @ (outputs[train] - offset), gram @ vectors
    # Rounding leaves eigenvalues a little below 0, which the weakest penalty would turn into poles.
    eigenvalues = np.maximum(eigenvalues, 0)[:, None]
    for strength in _STRENGTHS:
        yield strength, rotated_gram @ (rotated_outputs / (eigenvalues + strength)) + offset


def _ridge(session: AlignedSession, name: str, inputs: np.ndarray) -> Iterator[np.ndarray]:
    """Predictions (K, T, ...), or (K,) of one value per trial, of each strength."""
    values, scaler = session.values[name], scaler_of(session, name)
    for _, predicted in _ridge_path(inputs, scaler.transform(flat(values)), session.trials_of("train")):
        yield scaler.inverse_transform(predicted).reshape(values.shape)


def _logistic(session: AlignedSession, name: str, inputs: np.ndarray) -> Iterator[np.ndarray]:
    """Probabilities (K, classes) of each strength; a class that no training trial has gets 0.

    Where no training trial has a known class, all are given the same.
    """
    truth, train = session.values[name], session.trials_of("train")
    train = train[truth[train] >= 0]
    present = np.unique(truth[train])
    for strength in _STRENGTHS:
        probabilities = np.zeros((len(truth), len(session.modalities[name].classes)))
        if len(present) < 2:
            probabilities[:] = session.statistics[name]["frequency"]
        else:
            model = LogisticRegression(C=1 / strength, max_iter=1000).fit(inputs[train], truth[train])
            probabilities[:, model.classes_] = model.predict_proba(inputs)
        yield probabilities


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """As `predict_linear`, which needs no other file."""
    return predict_linear(session)
