"""Behaviours as the networks predict them: queries, losses, and predictions in the form of any other model.

Shapes: B trials of a batch, K trials, T bins, Q queries of a target (its bins, or one).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from neds.data.store import TrialStore
from neds.errors import UserError
from neds.evaluation.score import SELECTION_METRIC, selecting_scores
from neds.files.aligned import AlignedSession
from neds.modalities import Modality
from neds.model.batch import Batch

READ = "spikes"
"""The modality that the networks read."""


@dataclass(frozen=True)
class Target:
    """One behaviour: a vector in each bin, or one of the trial (classes, or a number)."""

    modality: Modality
    n_bins: int

    @property
    def name(self) -> str:
        return self.modality.name

    @property
    def n_queries(self) -> int:
        return 1 if self.modality.per_trial else self.n_bins

    @property
    def n_outputs(self) -> int:
        return len(self.modality.classes) if self.modality.kind == "categorical" else self.modality.n_columns

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean over the known values of the squared error of standardised values, or of the cross-entropy.

        Args:
            output: (B, Q, outputs).
        """
        valid = batch.valid[self.name]
        if self.modality.kind == "continuous":
            known = valid[..., None] & batch.columns[self.name][:, None]
            errors = F.mse_loss(output, batch.continuous[self.name], reduction="none")
        elif self.modality.kind == "scalar":
            known, errors = valid[:, 0], F.mse_loss(output[:, 0, 0], batch.scalar[self.name], reduction="none")
        else:
            known = valid[:, 0]
            errors = F.cross_entropy(output[:, 0], batch.categorical[self.name], reduction="none")
        return (errors * known).sum() / known.sum().clamp(min=1)

    def prediction(self, output: Tensor, store: TrialStore, session: int) -> np.ndarray:
        """Outputs (B, Q, outputs) as `neds.evaluation.score` takes them."""
        if self.modality.kind == "categorical":
            return output[:, 0].softmax(-1).cpu().numpy()
        values = store.unscaled(session, self.name, output).cpu().numpy()
        return values if self.modality.kind == "continuous" else values[:, 0, 0]


def targets_of(store: TrialStore) -> list[Target]:
    """The behaviours of a store's sessions that can be decoded, in its order."""
    kinds = ("continuous", "categorical", "scalar")
    own = (m for m in store.modalities.values() if m.group == "behaviour" and m.kind in kinds)
    return [Target(modality, store.n_bins) for modality in own]


def store_of(sessions: Sequence[AlignedSession], *, device: torch.device, baseline: str) -> TrialStore:
    """The sessions' trials.

    Raises:
        UserError: there are no spikes, or sessions that do not fit together.
    """
    for session in sessions:
        if READ not in session.values:
            raise UserError(
                f"session {session.eid} has no {READ}, which baseline {baseline} reads; remove it from baselines"
            )
    return TrialStore(list(sessions), names=list(sessions[0].modalities), device=device)


def score_on_validation(sessions: Sequence[AlignedSession], predicted: Sequence[dict[str, np.ndarray]]) -> float:
    """Mean over targets and sessions of the score by which weights are selected; NaN where there is none.

    Args:
        predicted: of each session's validation trials, by target.
    """
    scores = []
    for session, own in zip(sessions, predicted, strict=True):
        for target, values in own.items():
            found = selecting_scores(session, target, values, session.trials_of("val"))
            scores.append(found[SELECTION_METRIC[session.modalities[target].kind]].value)
    known = [score for score in scores if np.isfinite(score)]
    return float(np.mean(known)) if known else float("nan")
