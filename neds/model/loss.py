"""The training loss: one term per modality, each the mean over that modality's masked, known values."""

import torch
import torch.nn.functional as F
from torch import Tensor

from neds.modalities import Modality
from neds.model.batch import Batch, Predictions


def loss_terms(
    modalities: dict[str, Modality], predictions: Predictions, batch: Batch, target: dict[str, Tensor]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Summed loss and number of summed values, by predicted modality.

    Sum and number stay apart, so that several processes can add up theirs before they divide.

    Args:
        target: (B, T) of each modality, True where it is to be predicted.
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
        squared = ((mean.float() - batch.continuous[name]).square() * own).sum(-1)
        terms[name] = ((squared * target[name]).sum(), (target[name] * own.sum(-1)).sum())
    for name, logits in predictions.logits.items():
        scored = target[name].any(-1)
        nll = F.cross_entropy(logits.float(), batch.categorical[name], reduction="none")
        terms[name] = ((nll * scored).sum(), scored.sum())
    for name, value in predictions.scalars.items():
        scored = target[name].any(-1)
        squared = (value.float() - batch.scalar[name]).square()
        terms[name] = ((squared * scored).sum(), scored.sum())
    return {name: terms[name] for name in modalities if name in terms}


def total_loss(terms: dict[str, tuple[Tensor, Tensor]], weights: dict[str, float]) -> Tensor:
    """Weighted sum of the modalities' mean losses; a modality without a target in the batch adds exactly 0."""
    means = {name: total / torch.where(number > 0, number, 1) for name, (total, number) in terms.items()}
    return torch.stack([weights.get(name, 1.0) * mean for name, mean in means.items()]).sum()
