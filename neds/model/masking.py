"""Masking schemes: what is hidden from the model, and what of it the model must predict.

One scheme is drawn per trial. In every mask True is "hidden" (or "target"). Shapes: B trials, M modalities, T bins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from neds.modalities import Modality
from neds.model.settings import Scheme


@dataclass(frozen=True)
class Mask:
    """`hidden` (B, M, T): content replaced by the mask vector. `target` (B, M, T): predicted and scored."""

    hidden: Tensor
    target: Tensor

    def rows(self, trials: Tensor) -> "Mask":
        """The masks of some of the trials."""
        return Mask(self.hidden[trials], self.target[trials])

    def where_known(self, valid: Tensor) -> "Mask":
        """On the device of `valid` (B, M, T): unknown values are hidden and no targets."""
        return Mask(self.hidden.to(valid.device) | ~valid, self.target.to(valid.device) & valid)


def draw_masks(
    modalities: list[Modality],
    *,
    n_trials: int,
    n_bins: int,
    scheme_weights: Mapping[Scheme, float],
    ratio: float,
    single_behaviour: float,
    generator: torch.Generator,
) -> Mask:
    """Draw a scheme and its hidden bins for every trial.

    A value per trial (categorical or scalar) is hidden whole or not at all, because any visible copy of it would give it
    away.

    Args:
        modalities: the M modalities, in the order of the masks.
        n_trials, n_bins: B and T.
        scheme_weights: relative frequency by scheme name (`neds.model.settings.Scheme`).
        ratio: probability that a bin (or a value per trial) is hidden by the random schemes.
        single_behaviour: probability that the encoding scheme shows one behaviour alone.
        generator: a CPU generator, so that the draws do not depend on the device.
    """
    n_modalities = len(modalities)
    neural = torch.tensor([m.group == "neural" for m in modalities])[None, :, None]
    whole = torch.tensor([m.per_trial for m in modalities])[None, :, None]

    # In an order of their own: what is drawn must not depend on that of the user's mapping.
    names = [name for name in get_args(Scheme) if name in scheme_weights]
    weights = torch.tensor([scheme_weights[name] for name in names])
    drawn = torch.multinomial(weights, n_trials, replacement=True, generator=generator)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    whole_hidden = (uniform(n_trials, n_modalities) < ratio)[:, :, None]
    own_bins = torch.where(whole, whole_hidden, uniform(n_trials, n_modalities, n_bins) < ratio)
    same_bins = torch.where(whole, whole_hidden, (uniform(n_trials, n_bins) < ratio)[:, None, :])

    behaviours = torch.nonzero(~neural.flatten()).flatten()
    shown_alone = torch.zeros(n_trials, n_modalities, dtype=torch.bool)
    if len(behaviours):
        pick = behaviours[torch.randint(len(behaviours), (n_trials,), generator=generator)]
        shown_alone[torch.arange(n_trials), pick] = True
    alone = (uniform(n_trials) < single_behaviour)[:, None, None]
    other_behaviours = ~neural & alone & ~shown_alone[:, :, None]

    hidden = torch.zeros(n_trials, n_modalities, n_bins, dtype=torch.bool)
    for index, name in enumerate(names):
        scheme_hidden = {
            "encoding": neural | other_behaviours,
            "decoding": ~neural,
            "within_spikes": neural & own_bins,
            "within_behaviour": ~neural & own_bins,
            "across": same_bins,
        }[name]
        hidden |= (drawn == index)[:, None, None] & scheme_hidden
    target = hidden.clone()
    if "encoding" in names:
        is_encoding = (drawn == names.index("encoding"))[:, None, None]
        target &= ~is_encoding | neural
    return Mask(hidden, target)


def observe(modalities: list[Modality], valid: Tensor, observed: set[str]) -> Tensor:
    """Hide everything but the observed modalities: the mask (B, M, T) of a task such as encoding or decoding."""
    seen = torch.tensor([m.name in observed for m in modalities], device=valid.device)[None, :, None]
    return ~(seen & valid)
