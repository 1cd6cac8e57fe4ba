"""What the regression baselines do co-smoothing and forecasting from.

Co-smoothing: the counts of held-out units in a bin, from what is seen around that bin, with the same weights in all bins;
inputs and outputs are deviations from their means over training trials in the same bin. Forecasting: the counts of the last
bins, from averages of what is seen over the last 1, 2, 4, ... bins before them.

Shapes: K trials, k some of them, T bins, n predicted units, P inputs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from neds.baselines.design import design
from neds.baselines.inputs import standardised
from neds.baselines.selection import Fitted
from neds.evaluation.tasks import Task
from neds.files.aligned import AlignedSession


def around_bins(session: AlignedSession, task: Task) -> np.ndarray:
    """Inputs (K, T, P) of co-smoothing, those of the Poisson GLM: seen units and traces by lag, values per trial by time."""
    seen = np.setdiff1d(np.arange(session.n_units), task.held_out)
    values = {name: session.values[name][..., seen] for name in task.targets}
    statistics = {name: {key: value[seen] for key, value in session.statistics[name].items()} for name in task.targets}
    visible = replace(session, values=session.values | values, statistics=session.statistics | statistics)
    return design(visible, task.observed)


def before_the_end(session: AlignedSession, task: Task) -> np.ndarray:
    """Inputs (K, P) of forecasting: averages of each standardised column over the last 1, 2, 4, ... seen bins."""
    n_seen = session.n_bins - task.last_bins
    widths = [2**power for power in range(n_seen.bit_length())]
    # Each bin is standardised on its own, so that what is hidden takes no part in what is seen.
    columns = np.concatenate([standardised(session, name)[:, :n_seen] for name in task.observed], axis=-1)
    return np.concatenate([columns[:, -width:].mean(1) for width in widths], axis=-1)


class SharedOverBins:
    """Ridge regressions of counts on inputs around each bin, of full or reduced rank, for many penalties.

    Of reduced rank: projected on the leading directions of the covariance of units that the full regression explains
    (reduced-rank regression, Izenman 1975).
    """

    def __init__(self, inputs: np.ndarray, counts: np.ndarray, std: np.ndarray, train: np.ndarray) -> None:
        """
        Args:
            inputs: (K, T, P).
            counts: (K, T, n).
            std: (n,) of the counts, by which they are scaled.
            train: (k,) trials to fit.
        """
        self._inputs, self._std = inputs - inputs[train].mean(0), std
        columns = self._inputs[train].reshape(-1, inputs.shape[-1])
        outputs = ((counts[train] - counts[train].mean(0)) / std).reshape(len(columns), -1).astype(np.float32)
        energy, self._vectors = np.linalg.eigh((columns.T @ columns).astype(np.float64))
        self._energy = np.maximum(energy, 0)
        self._products = self._vectors.T @ (columns.T @ outputs)

    def deviations(self, penalty: float, ranks: Sequence[int] = ()) -> Iterable[Fitted]:
        """Predictors of the deviations (k, T, n) of counts from their mean over training trials.

        Args:
            ranks: of which there is one each; none for one of full rank.
        """
        shrunk = self._products / (self._energy + penalty)[:, None]
        weights = self._vectors @ shrunk
        if not ranks:
            yield self._predictor(weights)
            return
        directions = np.linalg.eigh(self._products.T @ shrunk)[1][:, ::-1]
        for rank in ranks:
            leading = directions[:, :rank]
            yield self._predictor(weights @ leading @ leading.T)

    def _predictor(self, weights: np.ndarray) -> Fitted:
        scaled = (weights * self._std).astype(np.float32)
        return lambda trials: self._inputs[trials] @ scaled
