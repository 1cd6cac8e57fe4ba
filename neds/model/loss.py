"""The training loss: one term per modality, each the mean over that modality's masked, known values."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from neds.modalities import Modality
from neds.model.batch import Batch, Predictions


def loss_terms(
    modalities: dict[str, Modality],
    predictions: Predictions,
    batch: Batch,
    target: dict[str, Tensor],
    *,
    scales: Mapping[str, Tensor] | None = None,
    per_token: bool = False,
) -> dict[str, tuple[Tensor, Tensor]]:
    """Summed loss and number of summed values (see `target_numbers`), by predicted modality.

    Sum and number stay apart, so that the parts of a batch, and several processes, can add up theirs before they divide.

    Args:
        target: (B, T) of each modality, True where it is to be predicted.
        scales: (S, width or 1) of some modalities, factors by session of its errors, or of its loss for counts.
        per_token: a value per trial counts as T values, once for each of its tokens, as in the paper's public code.
    """
    scales = scales or {}
    sums: dict[str, Tensor] = {}
    for name, log_rate in predictions.log_rates.items():
        nll = F.poisson_nll_loss(log_rate.float(), batch.counts[name], log_input=True, reduction="none")
        if name in scales:
            nll = nll * scales[name][batch.sessions][:, None]
        sums[name] = ((nll * batch.columns[name][:, None]).sum(-1) * target[name]).sum()
    for name, mean in predictions.means.items():
        error = mean.float() - batch.continuous[name]
        if name in scales:
            error = error * scales[name][batch.sessions][:, None]
        squared = (error.square() * batch.columns[name][:, None]).sum(-1)
        sums[name] = (squared * target[name]).sum()
    for name, logits in predictions.logits.items():
        nll = F.cross_entropy(logits.float(), batch.categorical[name], reduction="none")
        sums[name] = (nll * target[name].any(-1)).sum()
    for name, value in predictions.scalars.items():
        error = value.float() - batch.scalar[name]
        if name in scales:
            error = error * scales[name][batch.sessions, 0]
        sums[name] = (error.square() * target[name].any(-1)).sum()
    numbers = target_numbers(modalities, batch, target, per_token=per_token)
    return {name: (sums[name], numbers[name]) for name in modalities if name in sums}


def target_numbers(
    modalities: dict[str, Modality], batch: Batch, target: dict[str, Tensor], *, per_token: bool
) -> dict[str, Tensor]:
    """How many values of each modality a loss is the mean over: of each target bin all columns that are the trial's
    session's own; of a value per trial one, or one for each bin, `per_token`.
    """

    def number(name: str, modality: Modality) -> Tensor:
        if not modality.per_trial:
            return (target[name].sum(-1) * batch.columns[name].sum(-1)).sum()
        return (target[name] if per_token else target[name].any(-1)).sum()

    return {name: number(name, modality) for name, modality in modalities.items()}


def total_loss(terms: dict[str, tuple[Tensor, Tensor]], weights: dict[str, float]) -> Tensor:
    """Weighted sum of the modalities' mean losses; a modality without a target in the batch adds exactly 0."""
    means = {name: total / torch.where(number > 0, number, 1) for name, (total, number) in terms.items()}
    return torch.stack([weights.get(name, 1.0) * mean for name, mean in means.items()]).sum()
