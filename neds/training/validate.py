"""Validation: the scores by which a training is followed, and by which the weights are chosen that become the model."""

from dataclasses import dataclass

import numpy as np
import torch

from neds.data.store import TrialStore
from neds.evaluation.predict import predict
from neds.evaluation.score import PRIMARY_METRIC, SELECTION_METRIC, known_values, selecting_scores
from neds.evaluation.tasks import tasks_of_network
from neds.files.aligned import AlignedSession
from neds.modalities import Kind
from neds.model.network import NEDS
from neds.model.precision import Precision
from neds.training.calibration import recalibrated
from neds.training.deviance import unexplained_deviance
from neds.training.distributed import Processes


@dataclass(frozen=True)
class Validation:
    """A network on the validation trials of all sessions.

    Attributes:
        scores: of every output, means over sessions, the metric by which models are compared and the one by which weights
            are selected (often the same), with keys "<target>_<metric>"; "score" is the mean of the latter over outputs,
            NaN where one that can be scored is not, because a prediction is not finite; "deviance" is the mean of
            `deviance`.
        deviance: (outputs, validation trials) what the predictions leave of the null model's, of one session after the other
            (`neds.training.deviance.unexplained_deviance`).
    """

    scores: dict[str, float]
    deviance: np.ndarray

    @property
    def score(self) -> float:
        return self.scores["score"]


def validate(
    model: NEDS,
    store: TrialStore,
    sessions: list[AlignedSession],
    processes: Processes,
    precision: Precision,
    *,
    will_calibrate: bool,
) -> Validation:
    """Predict and score. The sessions are shared out among the processes, and all of them get the same result.

    Args:
        will_calibrate: whether the model will be calibrated in the end: `deviance` is then that of calibrated predictions.
            The scores are of the network as it is.
    """
    tasks, kinds = tasks_of_network(model.design), _kinds(model)
    columns = [
        (t, m) for t, kind in kinds.items() for m in dict.fromkeys((PRIMARY_METRIC[kind], SELECTION_METRIC[kind]))
    ]
    totals, is_faulty = torch.zeros(2, len(columns), dtype=torch.float64), False
    ends = np.cumsum([len(session.trials_of("val")) for session in sessions])
    deviance = torch.zeros(len(kinds), int(ends[-1]), dtype=torch.float64)
    for index in processes.own_rows(len(sessions)):
        trials = sessions[index].trials_of("val")
        predictions = {k: v for task in tasks for k, v in predict(model, store, index, "val", task, precision).items()}
        in_the_end = predictions
        if will_calibrate:
            in_the_end = {k: recalibrated(sessions[index], k, values, trials) for k, values in predictions.items()}
        left = unexplained_deviance(sessions[index], in_the_end, trials)
        of_session = np.stack([left[target] for target in kinds])
        deviance[:, ends[index] - len(trials) : ends[index]] = torch.from_numpy(of_session)
        scores = {target: selecting_scores(sessions[index], target, predictions[target], trials) for target in kinds}
        for target, values in predictions.items():
            is_faulty |= bool((known_values(sessions[index], target, trials) & ~np.isfinite(values)).any())
        for column, (target, metric) in enumerate(columns):
            if np.isfinite(value := scores[target][metric].value):
                totals[:, column] += torch.tensor([value, 1.0])
    sums, numbers = processes.sum(totals.to(processes.device)).cpu().numpy()
    is_faulty = processes.any(is_faulty)
    means = {column: s / n for column, s, n in zip(columns, sums, numbers, strict=True) if n}
    selected = [mean for (target, metric), mean in means.items() if metric == SELECTION_METRIC[kinds[target]]]
    named = {f"{target}_{metric}": mean for (target, metric), mean in means.items()}
    score = float(np.mean(selected)) if selected and not is_faulty else float("nan")
    left_over = processes.sum(deviance.to(processes.device)).cpu().numpy()
    return Validation(named | {"score": score, "deviance": float(left_over.mean())}, left_over)


def can_be_scored(model: NEDS, sessions: list[AlignedSession]) -> bool:
    """Whether a finite prediction of the validation trials has a score in any session, of any output."""
    for session in sessions:
        trials = session.trials_of("val")
        for target, kind in _kinds(model).items():
            guess = np.full(session.values[target][trials].shape, 1.0)
            if kind == "categorical":
                guess = np.full((len(trials), len(session.modalities[target].classes)), 1.0)
            if np.isfinite(selecting_scores(session, target, guess, trials)[SELECTION_METRIC[kind]].value):
                return True
    return False


def _kinds(model: NEDS) -> dict[str, Kind]:
    """The kind of each output."""
    return {
        target: model.design.modalities[target].kind
        for task in tasks_of_network(model.design)
        for target in task.targets
    }
