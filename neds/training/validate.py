"""Validation scores, by which the best weights are chosen."""

import numpy as np

from neds.data.store import TrialStore
from neds.evaluation.predict import predict
from neds.evaluation.score import PRIMARY_METRIC, score
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import AlignedSession
from neds.model.network import NEDS


def validation_scores(model: NEDS, store: TrialStore, sessions: list[AlignedSession]) -> dict[str, float]:
    """Primary metric of every output on the validation trials, mean over sessions, and their mean as "score".

    The primary metrics are bits per spike, R2 and balanced accuracy. Keys are "<target>_<metric>".
    """
    mode = model.design.mode
    tasks = tasks_of(model.design.modalities, inputs=mode.inputs, outputs=mode.outputs)
    found: dict[str, list[float]] = {}
    for index, session in enumerate(sessions):
        trials = session.trials_of("val")
        for task in tasks:
            predictions = predict(model, store, index, "val", task)
            for target, predicted in predictions.items():
                metric = PRIMARY_METRIC[model.design.modalities[target].kind]
                value = score(session, target, predicted, trials)[metric]
                found.setdefault(f"{target}_{metric}", []).append(value)
    means = {key: float(np.mean(known)) for key, v in found.items() if (known := [x for x in v if np.isfinite(x)])}
    return means | {"score": float(np.mean(list(means.values()))) if means else float("nan")}
