"""A batch of trials that may come from several sessions.

Shapes: B trials of the batch, b of them from one session, T bins, N_s units of session s.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Trials sorted by session, so that each session's trials are one slice.

    Attributes:
        sessions: (B,) index of each trial's session, ascending.
        groups: (session index, slice of the batch) of every session present.
        counts: of each counts modality, one (b, T, N_s) float tensor of spikes per bin for each group.
        scaled_counts: the same, standardised with the session's training statistics: what the model reads.
        continuous: of each continuous modality, (B, T, width) standardised values, 0 where unknown and beyond the columns of
            a trial's own session.
        columns: of each continuous modality, (B, width) whether a column is one of the trial's session.
        categorical: of each categorical modality, (B,) class indices, 0 where unknown.
        scalar: of each scalar modality, (B,) standardised values, 0 where unknown.
        valid: of every modality, (B, T) whether the value is known.
    """

    sessions: Tensor
    groups: list[tuple[int, slice]]
    counts: dict[str, list[Tensor]]
    scaled_counts: dict[str, list[Tensor]]
    continuous: dict[str, Tensor]
    columns: dict[str, Tensor]
    categorical: dict[str, Tensor]
    scalar: dict[str, Tensor]
    valid: dict[str, Tensor]

    @property
    def n_trials(self) -> int:
        return len(self.sessions)


@dataclass(frozen=True)
class Predictions:
    """What the model says of a batch.

    Attributes:
        log_rates: of each predicted counts modality, one (b, T, N_s) tensor for each group: log expected spikes per bin.
        means: of each predicted continuous modality, (B, T, width) in standardised units.
        logits: of each predicted categorical modality, (B, classes).
        scalars: of each predicted scalar modality, (B,) in standardised units.
    """

    log_rates: dict[str, list[Tensor]]
    means: dict[str, Tensor]
    logits: dict[str, Tensor]
    scalars: dict[str, Tensor]
