"""A batch of trials that may come from several sessions.

Shapes: B trials of the batch, T bins, C bins of context before these, N units of the session that has most of those in the
batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Trials sorted by session, so that each session's trials are one slice.

    Attributes:
        sessions: (B,) index of each trial's session, ascending.
        groups: (session index, slice of the batch) of every session present; None where batches of as many trials are to
            have the same shapes.
        counts: of each counts modality, (B, T, N) spikes per bin as floats, 0 beyond the units of a trial's own session.
        scaled_counts: the same, standardised with the session's training statistics: what the model reads.
        continuous: of each continuous modality, (B, T, width) standardised values, 0 where unknown and beyond the columns of
            a trial's own session.
        columns: of each counts or continuous modality, (B, N or width) whether a unit or column is the trial's session's.
        categorical: of each categorical modality, (B,) class indices, 0 where unknown.
        scalar: of each scalar modality, (B,) standardised values, 0 where unknown.
        valid: of every modality, (B, T) whether the value is known.
        context: of each counts or continuous modality, (B, C, N or width) standardised values before the window, 0 where
            unknown; empty where there is no context.
        context_valid: of the same, (B, C) whether the value is known.
    """

    sessions: Tensor
    groups: list[tuple[int, slice]] | None
    counts: dict[str, Tensor]
    scaled_counts: dict[str, Tensor]
    continuous: dict[str, Tensor]
    columns: dict[str, Tensor]
    categorical: dict[str, Tensor]
    scalar: dict[str, Tensor]
    valid: dict[str, Tensor]
    context: dict[str, Tensor] = field(default_factory=dict)
    context_valid: dict[str, Tensor] = field(default_factory=dict)

    def read(self, name: str) -> Tensor:
        """What a model reads of a counts or continuous modality, (B, C + T, N or width)."""
        values = self.scaled_counts[name] if name in self.scaled_counts else self.continuous[name]
        return torch.cat([self.context[name], values], dim=1) if name in self.context else values

    @property
    def n_trials(self) -> int:
        return len(self.sessions)

    def without_units(self, hidden_units: Mapping[str, Tensor]) -> "Batch":
        """The batch as a model reads it that must not see some units: they stand at their mean, 0, in all bins and before.

        Args:
            hidden_units: (B, N) of counts modalities, True where a unit is hidden.
        """

        def without(values: dict[str, Tensor]) -> dict[str, Tensor]:
            hidden = {n: values[n].masked_fill(units[:, None], 0.0) for n, units in hidden_units.items() if n in values}
            return values | hidden

        return replace(self, scaled_counts=without(self.scaled_counts), context=without(self.context))


@dataclass(frozen=True)
class Predictions:
    """What the model says of a batch.

    Attributes:
        log_rates: of each predicted counts modality, (B, T, N) log expected spikes per bin; without meaning beyond the units
            of a trial's own session.
        means: of each predicted continuous modality, (B, T, width) in standardised units.
        logits: of each predicted categorical modality, (B, classes).
        scalars: of each predicted scalar modality, (B,) in standardised units.
    """

    log_rates: dict[str, Tensor]
    means: dict[str, Tensor]
    logits: dict[str, Tensor]
    scalars: dict[str, Tensor]
