"""Scores of one session's predictions: which metrics each kind of modality has, as rows of a table.

A prediction is an array by kind: counts (K, T, N) expected spikes per bin; continuous (K, T, width) in the modality's
unit; categorical (K, classes) probabilities. K trials, T bins, N units.
"""

import numpy as np
import pandas as pd

from neds.evaluation import metrics
from neds.files.aligned import AlignedSession

PRIMARY_METRIC = {"counts": "bits_per_spike", "continuous": "r2", "categorical": "balanced_accuracy"}
"""By which models are compared."""
SELECTION_METRIC = PRIMARY_METRIC | {"categorical": "expected_accuracy"}
"""By which the best weights of a training run are chosen, on its few validation trials."""


def score(session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray) -> dict[str, float]:
    """Every metric of the target's kind on the given trials (K,) of the session, by metric name.

    Those of condition averages are left out where the session has no conditions.
    """
    truth = session.values[target][trials]
    condition = session.trials["condition"].to_numpy()[trials]
    kind = session.modalities[target].kind
    if kind == "counts":
        units = unit_scores(session, target, predicted, trials)
        return {name: metrics.mean_of_known(units[name]) for name in units if name != "n_spikes"}
    if kind == "continuous":
        columns = range(truth.shape[-1])
        scores = {"r2": metrics.mean_of_known(metrics.r2_by_column(truth, predicted))}
        if len(columns) > 1:
            scores["r2_weighted"] = metrics.r2_weighted(truth, predicted)
        if not session.has_conditions:
            return scores
        return scores | {
            name: metrics.mean_of_known([metric(truth[..., c], predicted[..., c], condition) for c in columns])
            for name, metric in (("r2_psth", metrics.r2_psth), ("r2_residual", metrics.r2_residual))
        }
    known = truth >= 0
    truth, probabilities = truth[known], predicted[known]
    guess = probabilities.argmax(-1)
    return {
        "accuracy": metrics.accuracy(truth, guess),
        "balanced_accuracy": metrics.balanced_accuracy(truth, guess),
        "expected_accuracy": metrics.expected_accuracy(truth, probabilities),
    }


def unit_scores(session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray) -> pd.DataFrame:
    """One row per unit: number of test spikes, bits per spike against two nulls, R2 of its PSTHs.

    `bits_per_spike` compares with the mean rate of the test trials themselves, `bits_per_spike_train_null` with that of
    the training trials. A unit without a spike in these trials scores NaN. A session without conditions has no PSTHs.
    """
    counts = session.values[target][trials]
    null = session.statistics[target]["mean"]
    scores = pd.DataFrame(
        {
            "n_spikes": counts.sum((0, 1), dtype=np.int64),
            "bits_per_spike": metrics.bits_per_spike(predicted, counts),
            "bits_per_spike_train_null": metrics.bits_per_spike(predicted, counts, null),
        }
    )
    if not session.has_conditions:
        return scores
    condition = session.trials["condition"].to_numpy()[trials]
    truth_psth = metrics.condition_averages(counts.astype(np.float32), condition)
    predicted_psth = metrics.condition_averages(predicted, condition)
    return scores.assign(
        r2_psth=[metrics.r2(truth_psth[..., n], predicted_psth[..., n]) for n in range(counts.shape[-1])]
    )
