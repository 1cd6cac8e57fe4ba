"""Linear baselines of the paper: ridge and logistic regression from all bins of a trial to each of its bins.

Inputs and outputs are standardised on the training trials; the strength of the penalty is the one that the validation
trials prefer, for each target on its own. Shapes: K trials, k some of them, T bins, N units, P input features.
"""

from collections.abc import Iterable

import numpy as np
from sklearn.linear_model import LogisticRegression

from neds.baselines.fitting import Given
from neds.baselines.from_units import SharedOverBins, around_bins, before_the_end
from neds.baselines.inputs import flat, standard_of, standardised
from neds.baselines.rates import chosen_rates
from neds.baselines.registry import Baseline
from neds.baselines.ridge import Ridge, Rotated, rotated
from neds.baselines.selection import Fitted, chosen_fit
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task, tasks_of
from neds.evaluation.unit_tasks import scored_part
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="linear",
    rank=1,
    title="linear",
    color="#009E73",
    summary="ridge and logistic regression",
    predicts_units=True,
    candidates=9,
)

_PENALTIES = tuple(10.0**power for power in range(6, -3, -1))


def predict_linear(session: AlignedSession) -> list[Predicted]:
    """Encoding and decoding of the test trials."""
    names, train = tuple(session.modalities), session.trials_of("train")
    predicted = []
    for task in tasks_of(session.modalities, inputs=names, outputs=names):
        inputs = np.hstack([standardised(session, name).reshape(session.n_trials, -1) for name in task.observed])
        predicted.append(Predicted(task, _predicted(session, rotated(inputs, train), task.targets)))
    return predicted


def _predicted(session: AlignedSession, inputs: Rotated, targets: tuple[str, ...]) -> dict[str, np.ndarray]:
    values = {}
    for name in targets:
        match session.modalities[name].kind:
            case "counts":
                values[name] = chosen_rates(session, name, _PENALTIES, _Values(session, name, inputs).deviations)
            case "categorical":
                values[name] = chosen_fit(session, name, _PENALTIES, _Classes(session, name, inputs).fits)
            case _:
                values[name] = chosen_fit(session, name, _PENALTIES, _Values(session, name, inputs).fits)
    return values


class _Values:
    """Ridge regressions of counts, continuous or scalar values."""

    def __init__(self, session: AlignedSession, name: str, inputs: Rotated) -> None:
        values, train = session.values[name], session.trials_of("train")
        self._standard, self._shape = standard_of(session, name), values.shape[1:]
        self._ridge = Ridge(inputs, self._standard.standardised(flat(values[train])), train)

    def fits(self, penalty: float) -> Iterable[Fitted]:
        """Values (k, T, width), or (k,) of one per trial."""
        yield lambda trials: self._shaped(self._standard.restored(self._ridge.predict(penalty, trials)))

    def deviations(self, penalty: float) -> Iterable[Fitted]:
        """Deviations (k, T, N) from the mean over training trials."""
        yield lambda trials: self._shaped(self._ridge.predict(penalty, trials) * self._standard.scale)

    def _shaped(self, columns: np.ndarray) -> np.ndarray:
        return columns.reshape(-1, *self._shape)


class _Classes:
    """Logistic regressions; a class that no training trial has gets a probability of 0."""

    def __init__(self, session: AlignedSession, name: str, inputs: Rotated) -> None:
        self._inputs, self._truth = inputs.coordinates, session.values[name]
        train = session.trials_of("train")
        self._train = train[self._truth[train] >= 0]
        self._frequency = session.statistics[name]["frequency"]

    def fits(self, penalty: float) -> Iterable[Fitted]:
        """Probabilities (k, classes); those of the training trials for all where these know less than two classes."""
        truth = self._truth[self._train]
        if len(np.unique(truth)) < 2:
            yield lambda trials: np.tile(self._frequency, (len(trials), 1))
            return
        model = LogisticRegression(C=1 / penalty, max_iter=1000).fit(self._inputs[self._train], truth)

        def probabilities(trials: np.ndarray) -> np.ndarray:
            found = np.zeros((len(trials), len(self._frequency)))
            found[:, model.classes_] = model.predict_proba(self._inputs[trials])
            return found

        yield probabilities


def predict_from_units(session: AlignedSession, task: Task) -> Predicted:
    """Co-smoothing or forecasting of the test trials by ridge regression."""
    part, train, values = scored_part(session, task), session.trials_of("train"), {}
    inputs = around_bins(session, task) if task.held_out else before_the_end(session, task)
    for name in task.targets:
        if task.held_out:
            shared = SharedOverBins(inputs, part.values[name], part.statistics[name]["std"], train)
            values[name] = chosen_rates(part, name, _PENALTIES, shared.deviations)
        else:
            values[name] = chosen_rates(part, name, _PENALTIES, _Values(part, name, rotated(inputs, train)).deviations)
    return Predicted(task, values)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Every task of the test trials; needs no other file."""
    from_units = [predict_from_units(session, task) for task in given.tasks_of_units(session)]
    return predict_linear(session) + from_units
