"""How much of the null model's deviance a prediction leaves, trial by trial: one scale for spikes, traces and classes.

The null model knows the training trials' means and class frequencies alone. Deviance is twice the log-likelihood that is
missing to a perfect prediction: of spikes under a Poisson, of traces under a normal distribution (McCullagh and Nelder
1989). Of classes it is the Brier score, the squared error of all probabilities (Brier 1950): by -2 log p a few trials that
are predicted wrongly with confidence would outweigh all else. 0 is a perfect prediction, 1 one as good as the null model's.
"""

from collections.abc import Mapping

import numpy as np

from neds.evaluation.metrics import poisson_deviance
from neds.files.aligned import AlignedSession


def unexplained_deviance(
    session: AlignedSession, predicted: Mapping[str, np.ndarray], trials: np.ndarray
) -> dict[str, np.ndarray]:
    """Deviance left by a prediction in units of the null model's mean over the trials, (K,) of each target.

    A trial in which a target is unknown counts as the target's other trials do on average. All are 0 of a target that is
    known nowhere, or whose null model is perfect.

    Args:
        predicted: by target, the array that `neds.evaluation.score` describes.
        trials: (K,) trials of the session.
    """
    shares = {}
    for target, values in predicted.items():
        left = _deviance(session, target, values.astype(np.float64), trials)
        of_null = _deviance(session, target, _null(session, target, values.shape), trials)
        known = np.isfinite(of_null)
        mean = of_null[known].mean() if known.any() else 0.0
        share = left / mean if mean > 0 else np.zeros(len(trials))
        shares[target] = np.where(known, share, share[known].mean() if known.any() else 0.0)
    return shares


def _null(session: AlignedSession, target: str, shape: tuple[int, ...]) -> np.ndarray:
    statistics = session.statistics[target]
    mean = statistics["frequency"] if session.modalities[target].kind == "categorical" else statistics["mean"]
    if session.modalities[target].kind == "scalar":
        mean = mean[0]
    return np.broadcast_to(mean, shape)


def _deviance(session: AlignedSession, target: str, predicted: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Deviance of each trial (K,); NaN where the target is unknown. Units that are silent in training do not count."""
    kind, truth = session.modalities[target].kind, session.values[target][trials]
    if kind == "counts":
        heard = session.statistics[target]["mean"] > 0
        return poisson_deviance(predicted[..., heard], truth[..., heard]).sum(1)
    if kind == "categorical":
        is_class = truth[:, None] == np.arange(predicted.shape[1])
        return np.where(truth >= 0, ((is_class - predicted) ** 2).sum(1), np.nan)
    std = session.statistics[target]["std"]
    if kind == "scalar":
        return ((truth - predicted) / std[0]) ** 2
    squared = ((truth - predicted) / std) ** 2
    known = np.isfinite(truth)
    # A trial that is known in part counts as if its other bins were like those.
    n_known = known.sum((1, 2))
    total = np.where(known, squared, 0.0).sum((1, 2)) * known[0].size
    return np.divide(total, n_known, out=np.full(len(trials), np.nan), where=n_known > 0)
