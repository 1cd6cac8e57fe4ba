"""Reduced-rank regression baselines: of one session, and of several that share their temporal factors.

The model and its sources stand in `neds.baselines.low_rank`. As in the linear baseline all bins of a trial predict each
of its bins, inputs and outputs are standardised on the training trials, and the validation trials choose, for each target
on its own, here the rank as well as the strength of the penalty. K trials, T bins, N units.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from neds.baselines.fitting import Given
from neds.baselines.inputs import flat, scaler_of, standardised
from neds.baselines.low_rank import Decoding, Encoding, Trials, fit, truncated_ridge
from neds.baselines.registry import Baseline
from neds.baselines.selection import BEST
from neds.errors import UserError
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task, tasks_of
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="rrr",
    rank=2,
    title="RRR",
    color="#CC79A7",
    summary="reduced-rank regression of each session",
)

_RANKS = (2, 4, 8, 16)
_STRENGTHS = (10000.0, 3000.0, 1000.0, 300.0, 100.0, 30.0)


def predict_rrr(session: AlignedSession) -> list[Predicted]:
    """Encoding and decoding of the test trials by a fit to this session's training trials."""
    return predict_rrr_multi(session, [])


def predict_rrr_multi(session: AlignedSession, others: list[AlignedSession]) -> list[Predicted]:
    """Encoding and decoding of the test trials by a fit to the training trials of this session and of `others` at once.

    Raises:
        UserError: sessions that differ in bins, or another session that lacks a modality of this one.
    """
    for other in others:
        _check_fit(session, other)
    names = tuple(session.modalities)
    predicted = []
    for task in tasks_of(session.modalities, inputs=names, outputs=names):
        inputs = [_inputs(each, task) for each in (session, *others)]
        values = {}
        for name in task.targets:
            candidates = _candidates([session, *others], inputs, task, name)
            values[name] = BEST[session.modalities[name].kind](session, name, candidates)
        predicted.append(Predicted(task, values))
    return predicted


def _check_fit(session: AlignedSession, other: AlignedSession) -> None:
    if (session.n_bins, session.bin_s) != (other.n_bins, other.bin_s):
        raise UserError(
            f"session {other.eid} has {other.n_bins} bins of {other.bin_s} s, session {session.eid} has "
            f"{session.n_bins} of {session.bin_s} s; sessions that share temporal factors need the same bins"
        )
    absent = [name for name in session.modalities if name not in other.values]
    if absent:
        raise UserError(f"session {other.eid} has no {', '.join(absent)}; make its aligned file again")


def _inputs(session: AlignedSession, task: Task) -> Tensor:
    """What a task observes of all trials: (K, T, N) of units, or (K, P) of behaviours."""
    observed = [standardised(session, name) for name in task.observed]
    if task.name == "encoding":
        observed = [values.reshape(session.n_trials, -1) for values in observed]
    else:
        # One value per trial is a column of the first bin alone: a copy in each bin would be penalised less.
        bins = ((0, 0), (0, session.n_bins - 1), (0, 0))
        observed = [values if values.ndim == 3 else np.pad(values[:, None], bins) for values in observed]
    return torch.from_numpy(np.concatenate(observed, axis=-1)).float()


@dataclass(frozen=True)
class _Target:
    """One session's target in the form in which it is regressed.

    `known` (k,) are the training trials whose target is known, in some bin at least; `outputs` (k, ...) their values, NaN
    where unknown; `offset` (...) where the outputs at zero input start; `restore` turns predicted outputs (K, ...) into
    predictions as `neds.baselines.selection` takes them.
    """

    known: np.ndarray
    outputs: Tensor
    offset: Tensor
    restore: Callable[[Tensor], np.ndarray]


def _values_target(session: AlignedSession, name: str, *, by_bin: bool) -> _Target:
    """Counts, continuous or scalar values, standardised; outputs (k, T, N) if `by_bin`, else (k, T N) or (k, 1)."""
    truth, train, scaler = session.values[name], session.trials_of("train"), scaler_of(session, name)
    columns = flat(truth)
    known = train[np.isfinite(columns[train]).any(1)]
    outputs = torch.from_numpy(scaler.transform(columns)[known]).float()
    outputs = outputs.reshape(-1, *truth.shape[1:]) if by_bin else outputs
    return _Target(
        known,
        outputs,
        torch.zeros(outputs.shape[1:]),
        lambda predicted: scaler.inverse_transform(predicted.flatten(1).numpy()).reshape(truth.shape),
    )


def _class_target(session: AlignedSession, name: str) -> _Target:
    """One column per class, (k, classes); the offsets start at the log of smoothed frequencies."""
    truth, train = session.values[name], session.trials_of("train")
    known = train[truth[train] >= 0]
    n_classes = len(session.modalities[name].classes)
    outputs = functional.one_hot(torch.from_numpy(truth[known]).long(), n_classes).float()
    frequency = (outputs.sum(0) + 0.5) / (len(outputs) + 0.5 * n_classes)
    return _Target(known, outputs, frequency.log(), lambda predicted: predicted.softmax(1).numpy())


def _half_squared_error(predicted: Tensor, outputs: Tensor) -> Tensor:
    return torch.where(outputs.isfinite(), predicted - outputs, 0.0).square().sum() / 2


def _cross_entropy(predicted: Tensor, outputs: Tensor) -> Tensor:
    return functional.cross_entropy(predicted, outputs, reduction="sum")


def _candidates(sessions: list[AlignedSession], inputs: list[Tensor], task: Task, name: str) -> Iterator[np.ndarray]:
    """Predictions of one target for all trials of the first session, of each strength and rank; the simplest first.

    Sessions in which no training trial knows the target do not take part. Where the first is one of them, its target is
    predicted as what it is at zero input, whatever the trial.
    """
    modality = sessions[0].modalities[name]
    by_bin = task.name == "encoding" and not modality.per_trial
    direction = Encoding if by_bin else Decoding
    if task.name == "encoding" and modality.per_trial:
        # Inputs of one bin: what has no bins is not encoded bin by bin.
        inputs = [own[:, None] for own in inputs]
    if modality.kind == "categorical":
        loss, targets = _cross_entropy, [_class_target(session, name) for session in sessions]
    else:
        loss, targets = _half_squared_error, [_values_target(session, name, by_bin=by_bin) for session in sessions]
    if not len(targets[0].known):
        yield targets[0].restore(targets[0].offset.expand(len(inputs[0]), *targets[0].offset.shape))
        return
    fitted = [(own, target) for own, target in zip(inputs, targets, strict=True) if len(target.known)]
    trials = [Trials(own[target.known], target.outputs) for own, target in fitted]
    n_units = [(each.outputs if by_bin else each.inputs).shape[-1] for each in trials]
    offsets = [target.offset for _, target in fitted]
    for strength in _STRENGTHS:
        start = truncated_ridge(
            direction, trials, n_units=n_units, offsets=offsets, strength=strength, rank=max(_RANKS)
        )
        for rank in _RANKS:
            factors = fit(direction, trials, start.cut(rank), strength=strength, loss=loss)
            predicted = direction.predict(inputs[0], factors.units[0], factors.temporal) + factors.offsets[0]
            yield targets[0].restore(predicted)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """As `predict_rrr`, which needs no other file."""
    return predict_rrr(session)
