"""Reduced-rank regression baselines: of one session, and of several that share their temporal factors.

The models and their sources stand in `neds.baselines.low_rank_encoding` and `neds.baselines.low_rank_decoding`. As in the
linear baseline all bins of a trial predict each of its bins, inputs and outputs are standardised on the training trials, and
the validation trials choose, for each target on its own, here the rank as well as the penalty.

Shapes: K trials, k some of them, T bins, N units.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from scipy.special import softmax

from neds.baselines.fitting import Given
from neds.baselines.from_units import SharedOverBins, around_bins, before_the_end
from neds.baselines.inputs import flat, standard_of, standardised
from neds.baselines.low_rank_decoding import (
    DecodedSession,
    Decoder,
    class_decoder,
    decoder_start,
    leading_directions,
    value_decoder,
)
from neds.baselines.low_rank_encoding import EncodedSession, encode, encoded_session, encoders
from neds.baselines.rates import chosen_rates
from neds.baselines.registry import Baseline
from neds.baselines.ridge import Ridge, rotated
from neds.baselines.selection import Fitted, chosen_fit
from neds.errors import UserError
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task, tasks_of
from neds.evaluation.unit_tasks import scored_part
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="rrr",
    rank=3,
    title="RRR",
    color="#CC79A7",
    summary="reduced-rank regression of each session",
    predicts_units=True,
    candidates=12,
)

_RANKS = (2, 4, 8, 16)
_PENALTIES = tuple(10.0 ** (power / 2) for power in (7, 6, 5))
_N_DIRECTIONS, _N_DIRECTIONS_OF_CLASSES = 256, 64
"""Of the units, in which decoders are sought: fewer for classes, whose weights have few columns."""
_MIDDLE_PENALTY = 1000.0
"""Of the ridge regressions by which directions are chosen and unknown outputs filled."""


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
    tasks = tasks_of(session.modalities, inputs=names, outputs=names)
    return [Predicted(task, _predicted([session, *others], task)) for task in tasks]


def _check_fit(session: AlignedSession, other: AlignedSession) -> None:
    if (session.n_bins, session.bin_s) != (other.n_bins, other.bin_s):
        raise UserError(
            f"session {other.eid} has {other.n_bins} bins of {other.bin_s} s, session {session.eid} has "
            f"{session.n_bins} of {session.bin_s} s; sessions that share temporal factors need the same bins"
        )
    absent = [name for name in session.modalities if name not in other.values]
    if absent:
        raise UserError(f"session {other.eid} has no {', '.join(absent)}; make its aligned file again")


def _predicted(sessions: list[AlignedSession], task: Task) -> dict[str, np.ndarray]:
    """Predictions of a task's targets for the test trials of the first session."""
    session = sessions[0]
    fits: dict[str, _Encoded | _Decoded] = {}
    for each in sessions:
        # Of the inputs of a session, which are large, each target keeps what its fits need.
        inputs = _inputs(each, task)
        for name in task.targets:
            outputs = _outputs(each, name, inputs)
            if each is session:
                # What has no bins has no factors of bins.
                by_bin = task.name == "encoding" and not session.modalities[name].per_trial
                fits[name] = (_Encoded if by_bin else _Decoded)(inputs, outputs)
            else:
                fits[name].add(inputs, outputs)
    values = {}
    for name in task.targets:
        choose = chosen_rates if session.modalities[name].kind == "counts" else chosen_fit
        values[name] = choose(session, name, _PENALTIES, fits[name].fits)
    return values


@dataclass(frozen=True)
class Observed:
    """What a task observes of a session.

    Attributes:
        values: (K, T, N) of units, or (K, 1, P) of behaviours, of all trials.
        train: (k,) the training trials, ascending.
    """

    values: np.ndarray
    train: np.ndarray

    @cached_property
    def _training(self) -> np.ndarray:
        return self.values[self.train]

    @cached_property
    def _products(self) -> np.ndarray:
        columns = self._training.reshape(len(self.train), -1)
        return columns @ columns.T

    def of(self, trials: np.ndarray) -> np.ndarray:
        """Values (k, T, N) of some training trials (k,), not to be changed."""
        return self._training if len(trials) == len(self.train) else self.values[trials]

    def products(self, trials: np.ndarray) -> np.ndarray:
        """Those (k, k) of some training trials (k,) with each other, summed over bins and units.

        All targets share them, though a trial may know one target and not another.
        """
        position = np.searchsorted(self.train, trials)
        return self._products[np.ix_(position, position)]


def _inputs(session: AlignedSession, task: Task) -> Observed:
    observed = [standardised(session, name) for name in task.observed]
    if task.name == "encoding":
        parts = [values.reshape(session.n_trials, 1, -1) for values in observed]
    else:
        # One value per trial is a column of the first bin alone: a copy in each bin would be penalised less.
        bins = ((0, 0), (0, session.n_bins - 1), (0, 0))
        parts = [values if values.ndim == 3 else np.pad(values[:, None], bins) for values in observed]
    return Observed(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1), session.trials_of("train"))


@dataclass(frozen=True)
class _Outputs:
    """A target in the form in which it is regressed.

    Attributes:
        known: (k,) training trials that know some of it.
        columns: (k, ...) centred standardised values, by bin where there are bins, or a column per class. A value that such
            a trial does not know is what ridge regression from all inputs predicts.
        is_classes: whether the columns are classes.
        offset: (Q,) outputs at zero input: mean of the standardised values, or log of the smoothed frequencies.
        restored: turns outputs (k, Q) into predictions as `neds.baselines.selection` or `rates` takes them.
    """

    known: np.ndarray
    columns: np.ndarray
    is_classes: bool
    offset: np.ndarray
    restored: Callable[[np.ndarray], np.ndarray]


def _outputs(session: AlignedSession, name: str, inputs: Observed) -> _Outputs:
    """Of one modality."""
    modality, truth, train = session.modalities[name], session.values[name], session.trials_of("train")
    if modality.kind == "categorical":
        known, n_classes = train[truth[train] >= 0], len(modality.classes)
        classes = (truth[known, None] == np.arange(n_classes)).astype(np.float32)
        frequency = (classes.sum(0) + 0.5) / (len(known) + 0.5 * n_classes)
        return _Outputs(
            known, classes, True, np.log(frequency).astype(np.float32), lambda found: softmax(found, axis=1)
        )
    standard, shape = standard_of(session, name), truth.shape[1:]
    columns = standard.standardised(flat(truth[train]))
    is_known = np.isfinite(columns).any(1)
    known, columns = train[is_known], columns[is_known]
    unknown = ~np.isfinite(columns)
    if unknown.any():
        ridge = Ridge(rotated(inputs.values.reshape(session.n_trials, -1), known), columns, known)
        columns = np.where(unknown, ridge.predict(_MIDDLE_PENALTY, known), columns)
    offset = columns.mean(0) if len(known) else np.zeros(columns.shape[1], np.float32)
    centred = (columns - offset).reshape(-1, *shape)
    if modality.kind == "counts":
        # Of rates the deviations from the mean are wanted.
        return _Outputs(
            known, centred, False, np.zeros_like(offset), lambda found: (found * standard.scale).reshape(-1, *shape)
        )
    return _Outputs(known, centred, False, offset, lambda found: standard.restored(found).reshape(-1, *shape))


class _Encoded:
    """Outputs with bins, encoded from inputs (K, 1, P), of the first session; others share its temporal factors."""

    def __init__(self, inputs: Observed, outputs: _Outputs) -> None:
        self._outputs, self._inputs = outputs, _centred(inputs.values, outputs.known)[:, 0]
        self._sessions: list[EncodedSession] = []
        # Rates are chosen in two rounds over the same penalties.
        self._factors: dict[float, list[tuple[np.ndarray, np.ndarray]]] = {}
        self.add(inputs, outputs)

    def add(self, inputs: Observed, outputs: _Outputs) -> None:
        """Take a session into the fit, if it knows the target at all."""
        if len(outputs.known):
            own = _centred(inputs.values, outputs.known)[outputs.known, 0]
            self._sessions.append(encoded_session(own, outputs.columns))

    def fits(self, penalty: float) -> Iterable[Fitted]:
        """A fit of each rank; where the first session knows nothing of the target, its offset alone."""
        outputs = self._outputs
        if not len(outputs.known):
            yield _constant(outputs)
            return
        if penalty not in self._factors:
            self._factors[penalty] = list(encoders(self._sessions, penalty=penalty, ranks=_RANKS))
        for units, temporal in self._factors[penalty]:
            yield partial(self._predicted, units, temporal)

    def _predicted(self, units: np.ndarray, temporal: np.ndarray, trials: np.ndarray) -> np.ndarray:
        found = encode(self._inputs[trials], units, temporal).reshape(len(trials), -1)
        return self._outputs.restored(found + self._outputs.offset)


class _Decoded:
    """Outputs that inputs (K, T, N) of the first session are decoded to; others share its temporal factors."""

    def __init__(self, inputs: Observed, outputs: _Outputs) -> None:
        self._outputs = outputs
        self._sessions: list[DecodedSession] = []
        self._inputs = self.add(inputs, outputs)

    def add(self, inputs: Observed, outputs: _Outputs) -> np.ndarray:
        """Take a session into the fit, if it knows the target at all; its inputs along the directions of the fit."""
        known, along = outputs.known, inputs.values
        if not len(known):
            return along
        columns = outputs.columns.reshape(len(known), -1)
        number = _N_DIRECTIONS_OF_CLASSES if outputs.is_classes else _N_DIRECTIONS
        if along.shape[-1] > number:
            products = inputs.products(known)
            own = inputs.of(known)
            along = along @ leading_directions(own, products, columns, penalty=_MIDDLE_PENALTY, number=number)
        own = along[known]
        mean = own.mean(0)
        own -= mean
        self._sessions.append(DecodedSession(own, columns, outputs.offset))
        return along - mean

    def fits(self, penalty: float) -> Iterable[Fitted]:
        """A fit of each rank; where the first session knows nothing of the target, its offset alone."""
        outputs = self._outputs
        if not len(outputs.known):
            yield _constant(outputs)
            return
        start = decoder_start(self._sessions, penalty=penalty, rank=max(_RANKS))
        fitted = class_decoder if outputs.is_classes else value_decoder
        for rank in _RANKS:
            yield partial(self._predicted, fitted(self._sessions, start.cut(rank), penalty=penalty))

    def _predicted(self, decoder: Decoder, trials: np.ndarray) -> np.ndarray:
        return self._outputs.restored(decoder.predict(self._inputs[trials]))


def _centred(inputs: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Inputs less their mean over some trials; as they are without a trial."""
    return inputs - inputs[trials].mean(0) if len(trials) else inputs


def _constant(outputs: _Outputs) -> Fitted:
    return lambda trials: outputs.restored(np.tile(outputs.offset, (len(trials), 1)))


def predict_from_units(session: AlignedSession, task: Task) -> Predicted:
    """Co-smoothing or forecasting of the test trials by a fit to this session's training trials."""
    part, values = scored_part(session, task), {}
    for name in task.targets:
        if task.held_out:
            inputs, std = around_bins(session, task), part.statistics[name]["std"]
            shared = SharedOverBins(inputs, part.values[name], std, session.trials_of("train"))
            values[name] = chosen_rates(part, name, _PENALTIES, partial(shared.deviations, ranks=_RANKS))
        else:
            observed = Observed(before_the_end(session, task)[:, None], session.trials_of("train"))
            fits = _Encoded(observed, _outputs(part, name, observed)).fits
            values[name] = chosen_rates(part, name, _PENALTIES, fits)
    return Predicted(task, values)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Every task of the test trials; needs no other file."""
    return predict_rrr(session) + [predict_from_units(session, task) for task in given.tasks_of_units(session)]
