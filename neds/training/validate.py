"""Validation scores, by which the best weights are chosen."""

import numpy as np
import torch

from neds.data.store import TrialStore
from neds.evaluation.predict import predict
from neds.evaluation.score import PRIMARY_METRIC, SELECTION_METRIC, score
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import AlignedSession
from neds.model.network import NEDS
from neds.training.distributed import Processes


def validation_scores(
    model: NEDS, store: TrialStore, sessions: list[AlignedSession], processes: Processes
) -> dict[str, float]:
    """Scores of every output on the validation trials, means over sessions, and the one to select by as "score".

    Of each output there are the metric by which models are compared and the one by which weights are selected (often the
    same), with keys "<target>_<metric>"; "score" is the mean of the latter over outputs. The sessions are shared out among
    the processes, and all of them get the same result.
    """
    mode = model.design.mode
    tasks = tasks_of(model.design.modalities, inputs=mode.inputs, outputs=mode.outputs)
    kinds = {target: model.design.modalities[target].kind for task in tasks for target in task.targets}
    columns = [
        (t, m) for t, kind in kinds.items() for m in dict.fromkeys((PRIMARY_METRIC[kind], SELECTION_METRIC[kind]))
    ]
    totals = torch.zeros(2, len(columns), dtype=torch.float64)
    for index in processes.own_rows(len(sessions)):
        trials = sessions[index].trials_of("val")
        predictions = {k: v for task in tasks for k, v in predict(model, store, index, "val", task).items()}
        scores = {target: score(sessions[index], target, predictions[target], trials) for target in kinds}
        for column, (target, metric) in enumerate(columns):
            if np.isfinite(scores[target][metric]):
                totals[:, column] += torch.tensor([scores[target][metric], 1.0])
    sums, numbers = processes.sum(totals.to(processes.device)).cpu().numpy()
    means = {column: s / n for column, s, n in zip(columns, sums, numbers, strict=True) if n}
    selected = [mean for (target, metric), mean in means.items() if metric == SELECTION_METRIC[kinds[target]]]
    named = {f"{target}_{metric}": mean for (target, metric), mean in means.items()}
    return named | {"score": float(np.mean(selected)) if selected else float("nan")}
