"""Validation scores, by which the best weights are chosen."""

import numpy as np
import torch

from neds.data.store import TrialStore
from neds.evaluation.predict import predict
from neds.evaluation.score import PRIMARY_METRIC, score
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import AlignedSession
from neds.model.network import NEDS
from neds.training.distributed import Processes


def validation_scores(
    model: NEDS, store: TrialStore, sessions: list[AlignedSession], processes: Processes
) -> dict[str, float]:
    """Primary metric of every output on the validation trials, mean over sessions, and their mean as "score".

    The primary metrics are bits per spike, R2 and balanced accuracy. Keys are "<target>_<metric>". The sessions are shared
    out among the processes, and all of them get the same result.
    """
    mode = model.design.mode
    tasks = tasks_of(model.design.modalities, inputs=mode.inputs, outputs=mode.outputs)
    metrics = {t: PRIMARY_METRIC[model.design.modalities[t].kind] for task in tasks for t in task.targets}
    totals = torch.zeros(2, len(metrics), dtype=torch.float64)
    for index in processes.own_rows(len(sessions)):
        trials = sessions[index].trials_of("val")
        predictions = {k: v for task in tasks for k, v in predict(model, store, index, "val", task).items()}
        for column, (target, metric) in enumerate(metrics.items()):
            value = score(sessions[index], target, predictions[target], trials)[metric]
            if np.isfinite(value):
                totals[:, column] += torch.tensor([value, 1.0])
    sums, numbers = processes.sum(totals.to(processes.device)).cpu().numpy()
    means = {f"{t}_{m}": s / n for (t, m), s, n in zip(metrics.items(), sums, numbers, strict=True) if n}
    return means | {"score": float(np.mean(list(means.values()))) if means else float("nan")}
