"""Scores of one session's predictions: which metrics each kind of modality has, as rows of a table.

A prediction is an array by kind: counts (K, T, N) expected spikes per bin; continuous (K, T, width) in the modality's
unit; categorical (K, classes) probabilities; scalar (K,) in the modality's unit. K trials, T bins, N units.

What a score is over (units, columns, trials) depends on the data alone, never on the model, so that all models are
compared on the same. It is counted in `n_scored`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neds.evaluation import calibration, metrics
from neds.files.aligned import AlignedSession

log = logging.getLogger(__name__)

PRIMARY_METRIC = {"counts": "bits_per_spike", "continuous": "r2", "categorical": "balanced_accuracy", "scalar": "r2"}
"""By which models are compared."""
SELECTION_METRIC = PRIMARY_METRIC | {"categorical": "expected_accuracy"}
"""By which the best weights of a training run are chosen, on its few validation trials."""
LEAST_SHARE_OF_TRAINING_STD = 1e-3
"""A trace that varies less than this share of how it varied in the training trials is constant: it has no R2."""


@dataclass(frozen=True)
class Score:
    """One score; NaN where it is not defined.

    Attributes:
        n_scored: the units (counts), columns (continuous) or trials (categorical, scalar) that the value is over.
        n_classes: classes that occur in these trials, whose inverse is chance; None but for categorical targets.
    """

    value: float
    n_scored: int
    n_classes: int | None = None


def score(session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray) -> dict[str, float]:
    """The values of `all_scores`, by metric name."""
    return {name: found.value for name, found in all_scores(session, target, predicted, trials).items()}


def all_scores(
    session: AlignedSession,
    target: str,
    predicted: np.ndarray,
    trials: np.ndarray,
    *,
    units: pd.DataFrame | None = None,
) -> dict[str, Score]:
    """Every metric of the target's kind on the given trials (K,) of the session, by metric name.

    Those of condition averages are left out where the session has no conditions. A prediction that is not finite where
    the truth is known leaves the target without scores: without what it got wrong, a model would only gain.

    Args:
        units: `unit_scores` of the same, where they have been computed.
    """
    if units is None:
        found = _SCORES[session.modalities[target].kind](session, target, predicted, trials)
    else:
        found = _over_units(units, session, target, predicted, trials)
    return _unless_faulty(found, session, target, predicted, trials)


def selecting_scores(
    session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray
) -> dict[str, Score]:
    """Those of `all_scores` that `PRIMARY_METRIC` and `SELECTION_METRIC` name.

    Training takes no others, so that a metric that is added or changed there makes no network stale.
    """
    found = _SELECTING[session.modalities[target].kind](session, target, predicted, trials)
    return _unless_faulty(found, session, target, predicted, trials)


def _unless_faulty(
    found: dict[str, Score], session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray
) -> dict[str, Score]:
    if np.isfinite(predicted).all():
        return found
    faulty = ~np.isfinite(predicted) & known_values(session, target, trials)
    if not faulty.any():
        return found
    log.warning(
        "session %s, %s: not scored, %d of %d predictions are not finite",
        *(session.eid, target, faulty.sum(), faulty.size),
    )
    return {name: Score(np.nan, 0, one.n_classes) for name, one in found.items()}


def known_values(session: AlignedSession, target: str, trials: np.ndarray) -> np.ndarray:
    """Which values of the trials (K,) are known, in a shape that a prediction's broadcasts with."""
    truth = session.values[target][trials]
    return (truth >= 0)[:, None] if session.modalities[target].kind == "categorical" else np.isfinite(truth)


def unit_scores(session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray) -> pd.DataFrame:
    """One row per unit: number of test spikes, bits per spike against two nulls, Poisson D2, R2 of its PSTHs.

    `bits_per_spike` compares with the mean rate of the test trials themselves, `bits_per_spike_train_null` with that of
    the training trials. A unit without a spike in these trials, or without one in the training trials, of which no model
    can know anything, scores NaN. A session without conditions has no PSTHs.
    """
    counts = session.values[target][trials]
    null = session.statistics[target]["mean"]
    likelihood = metrics.log_likelihood(predicted, counts)
    d2 = metrics.poisson_d2(predicted, counts, likelihood=likelihood)
    scores = pd.DataFrame(
        {
            "n_spikes": counts.sum((0, 1), dtype=np.int64),
            "bits_per_spike": _bits_per_spike(session, target, predicted, trials, likelihood),
            "bits_per_spike_train_null": metrics.bits_per_spike(predicted, counts, null, likelihood=likelihood),
            "poisson_d2": np.where(null > 0, d2, np.nan),
        }
    )
    if not session.has_conditions:
        return scores
    condition = session.trials["condition"].to_numpy()[trials]
    truth_psth = metrics.condition_averages(counts.astype(np.float32), condition)
    predicted_psth = metrics.condition_averages(predicted, condition)
    psth = metrics.r2_by_column(truth_psth, predicted_psth)
    return scores.assign(r2_psth=np.where(null > 0, psth, np.nan))


def _bits_per_spike(
    session: AlignedSession,
    target: str,
    predicted: np.ndarray,
    trials: np.ndarray,
    likelihood: np.ndarray | None = None,
) -> np.ndarray:
    """That of each unit (N,) that had a spike in the training trials; `likelihood` as of `metrics.bits_per_spike`."""
    bits = metrics.bits_per_spike(predicted, session.values[target][trials], likelihood=likelihood)
    return np.where(session.statistics[target]["mean"] > 0, bits, np.nan)


def _r2_by_column(session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray) -> np.ndarray:
    return metrics.r2_by_column(session.values[target][trials], predicted, least_std=_least_std(session, target))


def _least_std(session: AlignedSession, target: str) -> np.ndarray:
    return LEAST_SHARE_OF_TRAINING_STD * session.statistics[target]["std"]


def _over(values: np.ndarray) -> Score:
    """Mean over the values that are defined."""
    return Score(metrics.mean_of_known(values), int(np.isfinite(values).sum()))


def _count_scores(session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray) -> dict[str, Score]:
    return _over_units(unit_scores(session, target, predicted, trials), session, target, predicted, trials)


def _over_units(
    units: pd.DataFrame, session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray
) -> dict[str, Score]:
    """The scores of counts, from those of the units where they have one."""
    scores = {name: _over(units[name]) for name in units if name != "n_spikes"}
    pooled = metrics.pooled_bits_per_spike(units["bits_per_spike"].to_numpy(), units["n_spikes"].to_numpy())
    n_scored = scores["bits_per_spike"].n_scored
    scores["bits_per_spike_pooled"] = Score(pooled, n_scored)
    known = units["bits_per_spike"].notna().to_numpy()
    slope = calibration.calibration_slope(predicted, session.values[target][trials], units=known)
    scores["calibration_slope"] = Score(slope, n_scored if np.isfinite(slope) else 0)
    return scores


def _continuous_scores(
    session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray
) -> dict[str, Score]:
    truth = session.values[target][trials]
    least = _least_std(session, target)
    by_column = _r2_by_column(session, target, predicted, trials)
    scores = {"r2": _over(by_column)}
    if truth.shape[-1] > 1:
        weighted = metrics.r2_weighted(truth, predicted, least_std=least)
        scores["r2_weighted"] = Score(weighted, scores["r2"].n_scored)
    if not session.has_conditions:
        return scores
    condition = session.trials["condition"].to_numpy()[trials]
    for name, metric in (("r2_psth", metrics.r2_psth), ("r2_residual", metrics.r2_residual)):
        # Of a trace that is constant, averages and deviations mean nothing either.
        values = [
            metric(truth[..., c], predicted[..., c], condition, least_std=least[c]) if np.isfinite(one) else np.nan
            for c, one in enumerate(by_column)
        ]
        scores[name] = _over(np.array(values))
    return scores


def _class_scores(session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray) -> dict[str, Score]:
    truth, probabilities = _known_classes(session, target, predicted, trials)
    accuracy = metrics.accuracy(truth, probabilities.argmax(-1))
    error = calibration.expected_calibration_error(calibration.confidence_bins(probabilities, truth))
    scores = {"accuracy": _of_classes(accuracy, truth)} | _selecting_classes(session, target, predicted, trials)
    return scores | {"calibration_error": _of_classes(error, truth)}


def _known_classes(
    session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The true classes (k,) and predicted probabilities (k, classes) of the trials whose class is known."""
    truth = session.values[target][trials]
    return truth[truth >= 0], predicted[truth >= 0]


def _of_classes(value: float, truth: np.ndarray) -> Score:
    return Score(value, len(truth) if np.isfinite(value) else 0, len(np.unique(truth)))


def _selecting_counts(
    session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray
) -> dict[str, Score]:
    return {"bits_per_spike": _over(_bits_per_spike(session, target, predicted, trials))}


def _selecting_continuous(
    session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray
) -> dict[str, Score]:
    return {"r2": _over(_r2_by_column(session, target, predicted, trials))}


def _selecting_classes(
    session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray
) -> dict[str, Score]:
    truth, probabilities = _known_classes(session, target, predicted, trials)
    balanced = metrics.balanced_accuracy(truth, probabilities.argmax(-1))
    expected = metrics.expected_accuracy(truth, probabilities)
    return {"balanced_accuracy": _of_classes(balanced, truth), "expected_accuracy": _of_classes(expected, truth)}


def _scalar_scores(session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray) -> dict[str, Score]:
    """As of a continuous column with one bin: the null is the mean of these trials themselves."""
    truth = session.values[target][trials]
    value = metrics.r2(truth, predicted, least_std=float(_least_std(session, target)[0]))
    return {"r2": Score(value, int(np.isfinite(truth).sum()) if np.isfinite(value) else 0)}


_Scores = Callable[[AlignedSession, str, np.ndarray, np.ndarray], dict[str, Score]]
_SCORES: dict[str, _Scores] = {
    "counts": _count_scores,
    "continuous": _continuous_scores,
    "categorical": _class_scores,
    "scalar": _scalar_scores,
}
_SELECTING: dict[str, _Scores] = {
    "counts": _selecting_counts,
    "continuous": _selecting_continuous,
    "categorical": _selecting_classes,
    "scalar": _scalar_scores,
}
