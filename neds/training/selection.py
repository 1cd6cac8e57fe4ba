"""Which of two networks predicts the validation trials better, all targets taken together.

Shapes: M targets, K validation trials. Deviance is that of `neds.training.deviance.unexplained_deviance`, (M, K).
"""

from dataclasses import dataclass

import numpy as np

_ERRORS = 3.0
"""Standard errors below which what is explained of a target counts as little more than chance."""


@dataclass(frozen=True)
class Explained:
    """How much of the null model's deviance the best validation of each target explained, (M,), and its standard error."""

    share: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, deviance: np.ndarray) -> "Explained":
        n_trials = deviance.shape[1]
        error = deviance.std(axis=1, ddof=1) / n_trials**0.5 if n_trials > 1 else np.ones(len(deviance))
        return cls(1 - deviance.mean(1), error)

    def or_more(self, other: "Explained") -> "Explained":
        """By target, that which explains more."""
        is_more = other.share > self.share
        return Explained(np.where(is_more, other.share, self.share), np.where(is_more, other.error, self.error))

    def more_left(self, deviance: np.ndarray, than: np.ndarray) -> np.ndarray:
        """How much more deviance one network leaves than another, by trial, (K,), as a share of what can be explained.

        A tenth of the spikes' deviance may be all that anything explains, because counts are noisy, and nine tenths of a
        trace's: a network that loses the first has lost the spikes. So a target weighs by what was explained of it at
        best; one of which that is within a few standard errors of nothing weighs as if it were these.
        """
        weights = 1 / (self.share.clip(min=0) + _ERRORS * self.error).clip(min=1e-3)
        return weights @ (deviance - than) / len(weights)
