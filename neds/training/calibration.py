"""Calibration of a trained network on validation trials: predictions that are too sure of themselves are drawn together.

Of each session and output, what the readout gives (log rates, standardised values, logits) keeps its mean over the
validation trials, and its deviations from that mean are multiplied by one factor: the one with the least deviance there
(for classes that is the temperature of Guo et al. 2017). Few trials say little of a factor, so its distance from 1 is shrunk
by what chance alone would make of it: the positive-part rule of James and Stein (1961), with the variance by a jackknife
over groups of trials. The factor goes into the weights of the readout, so that whoever uses the network has it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from neds.data.store import TrialStore
from neds.evaluation.predict import predict
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import AlignedSession
from neds.model.network import NEDS

LARGEST_FACTOR = 1.25
"""Beyond it a few validation trials would be believed too much."""
_GROUPS = 10
"""Of validation trials, each left out once to learn how sure a factor is."""
_LEAST = 1e-9
"""Rates and probabilities below it count as this."""


def calibrate(model: NEDS, store: TrialStore, sessions: list[AlignedSession]) -> dict[str, dict[str, float]]:
    """Change the readouts of `model` in place; returns the factor of every session and output, by EID and name.

    An output without known validation trials, or whose predictions are not finite, keeps its weights and has no factor.
    """
    design, found = model.design, {}
    tasks = tasks_of(design.modalities, inputs=design.mode.inputs, outputs=design.mode.outputs)
    for index, session in enumerate(sessions):
        trials, factors = session.trials_of("val"), {}
        for task in tasks:
            for target, values in predict(model, store, index, "val", task).items():
                fitted = _fit(session, target, values.astype(np.float64), trials)
                if fitted is not None:
                    factor, offset = fitted
                    _rescale(model.stitchers.readouts[target], index, factor, offset)
                    factors[target] = factor
        found[session.eid] = factors
    return found


def recalibrated(session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """A prediction of validation trials as it would be after calibration on them; itself where nothing can be said.

    Args:
        predicted: the array that `neds.evaluation.score` describes.
        trials: (K,) trials of the session.
    """
    values = predicted.astype(np.float64)
    fitted = _fit(session, target, values, trials)
    if fitted is None:
        return values
    factor, offset = fitted
    kind = session.modalities[target].kind
    if kind == "counts":
        return np.exp(factor * _log(values) + offset)
    if kind == "categorical":
        return np.exp(_log_softmax(factor * _log(values) + offset))
    mean, std = session.statistics[target]["mean"], session.statistics[target]["std"]
    scaled = (values.reshape(-1, len(std)) - mean) / std
    return ((factor * scaled + offset) * std + mean).reshape(values.shape)


def _log(values: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(values, _LEAST))


class _Fit(NamedTuple):
    """A factor, and what is added to each output of the readout for a given one."""

    factor: float
    offset: Callable[[float], np.ndarray]


def _fit(
    session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray
) -> tuple[float, np.ndarray] | None:
    """The factor, and what is added to each output of the readout; None where nothing can be said."""
    if len(trials) < 2 or not np.isfinite(predicted).all():
        return None
    truth = session.values[target][trials]
    kind = session.modalities[target].kind
    if kind in ("continuous", "scalar"):
        statistics = session.statistics[target]
        columns = (len(trials), -1, len(statistics["std"]))
        predicted = (predicted.reshape(columns) - statistics["mean"]) / statistics["std"]
        truth = (truth.reshape(columns) - statistics["mean"]) / statistics["std"]
    fit = {"counts": _fit_counts, "categorical": _fit_classes}.get(kind, _fit_values)
    whole = fit(truth, predicted)
    if whole is None:
        return None
    group = np.arange(len(trials)) % _GROUPS
    parts = [fit(truth[group != one], predicted[group != one]) for one in np.unique(group)]
    factors = np.array([part.factor for part in parts if part is not None])
    variance = (len(factors) - 1) * factors.var()
    distance = whole.factor - 1
    shrunk = 1 + distance * max(0.0, 1 - variance / distance**2) if distance else 1.0
    return shrunk, whole.offset(shrunk)


def _fit_counts(counts: np.ndarray, rates: np.ndarray) -> _Fit:
    log_rates = _log(rates)
    mean = log_rates.mean((0, 1))
    deviations, expected = log_rates - mean, rates.mean((0, 1))

    def level(factor: float) -> np.ndarray:
        """Log rate (N,) around which deviations leave each unit's mean expected count as it is."""
        return np.log(expected) - np.log(np.exp(factor * deviations).mean((0, 1)))

    def loss(factor: float) -> float:
        # The sum of the expected counts does not change.
        return -float((counts * (factor * deviations + level(factor))).sum())

    return _Fit(_least(loss), lambda factor: level(factor) - factor * mean)


def _fit_values(truth: np.ndarray, predicted: np.ndarray) -> _Fit | None:
    """Least squares, over all columns together."""
    known = np.isfinite(truth)
    mean = predicted.mean((0, 1))
    deviations = np.where(known, predicted - mean, 0.0)
    variance = (deviations**2).sum()
    if variance <= 0:
        return None
    slope = (np.where(known, truth - mean, 0.0) * deviations).sum() / variance
    return _Fit(float(np.clip(slope, 0.0, LARGEST_FACTOR)), lambda factor: (1 - factor) * mean)


def _fit_classes(truth: np.ndarray, probabilities: np.ndarray) -> _Fit | None:
    known = truth >= 0
    if not known.any():
        return None
    logits = _log(probabilities[known])
    mean = logits.mean(0)

    def loss(factor: float) -> float:
        chosen = _log_softmax(mean + factor * (logits - mean))
        return -float(np.take_along_axis(chosen, truth[known][:, None].astype(int), 1).sum())

    return _Fit(_least(loss), lambda factor: (1 - factor) * mean)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).log_softmax(-1).numpy()


def _least(loss: Callable[[float], float]) -> float:
    # Here, because a training that does not calibrate need not wait for scipy.
    from scipy.optimize import minimize_scalar

    return float(minimize_scalar(loss, bounds=(0.0, LARGEST_FACTOR), method="bounded").x)


@torch.no_grad()
def _rescale(readout: Any, session: int, factor: float, offset: np.ndarray) -> None:
    """Make the readout give factor x what it gave + offset; of columns beyond the session's own nothing changes."""
    weight, bias = readout.map.matrices()[session]
    weight[: len(offset)] *= factor
    bias[: len(offset)] *= factor
    bias[: len(offset)] += torch.as_tensor(offset, dtype=bias.dtype, device=bias.device)
