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
    error_scales: Mapping[str, Tensor] | None = None,
) -> dict[str, tuple[Tensor, Tensor]]:
    """Summed loss and number of summed values, by predicted modality.

    Sum and number stay apart, so that several processes can add up theirs before they divide.

    Args:
        target: (B, T) of each modality, True where it is to be predicted.
        error_scales: (S, width) of each continuous and scalar modality, factors of its errors by session. With them a
            value per trial counts as T values, once for each of its tokens, as in the paper's public code.
    """
    terms: dict[str, tuple[Tensor, Tensor]] = {}
    for name, groups in predictions.log_rates.items():
        total = number = torch.zeros((), device=batch.sessions.device)
        for log_rate, counts, (_, rows) in zip(groups, batch.counts[name], batch.groups, strict=True):
            scored = target[name][rows]
            nll = F.poisson_nll_loss(log_rate.float(), counts, log_input=True, reduction="none")
            total = total + (nll.sum(-1) * scored).sum()
            number = number + scored.sum() * counts.shape[-1]
        terms[name] = (total, number)
    for name, mean in predictions.means.items():
        own = batch.columns[name][:, None]
        error = mean.float() - batch.continuous[name]
        if error_scales is not None:
            error = error * error_scales[name][batch.sessions][:, None]
        squared = (error.square() * own).sum(-1)
        terms[name] = ((squared * target[name]).sum(), (target[name] * own.sum(-1)).sum())
    for name, logits in predictions.logits.items():
        scored = target[name].any(-1)
        nll = F.cross_entropy(logits.float(), batch.categorical[name], reduction="none")
        terms[name] = ((nll * scored).sum(), (scored if error_scales is None else target[name]).sum())
    for name, value in predictions.scalars.items():
        scored = target[name].any(-1)
        error = value.float() - batch.scalar[name]
        if error_scales is not None:
            error = error * error_scales[name][batch.sessions, 0]
        terms[name] = ((error.square() * scored).sum(), (scored if error_scales is None else target[name]).sum())
    return {name: terms[name] for name in modalities if name in terms}


def total_loss(terms: dict[str, tuple[Tensor, Tensor]], weights: dict[str, float]) -> Tensor:
    """Weighted sum of the modalities' mean losses; a modality without a target in the batch adds exactly 0."""
    means = {name: total / torch.where(number > 0, number, 1) for name, (total, number) in terms.items()}
    return torch.stack([weights.get(name, 1.0) * mean for name, mean in means.items()]).sum()
