"""Masking schemes: what is hidden from the model, and what of it the model must predict.

One scheme is drawn per trial. In every mask True is "hidden" (or "target"). Shapes: B trials, M modalities, T bins, N units.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import get_args

import torch
from torch import Tensor

from neds.modalities import Modality
from neds.model.hideable import has_units, n_last_bins
from neds.model.settings import MaskingSettings, Scheme


@dataclass(frozen=True)
class Mask:
    """What is hidden and predicted of a batch.

    Attributes:
        hidden: (B, M, T) content replaced by the mask vector.
        target: (B, M, T) predicted and scored.
        hidden_units: (B, N) of modalities of units, those that are at their mean in all bins; none but in the scheme units.
        target_units: (B, N) of the same modalities, the units that are predicted and scored in the bins of `target`.
    """

    hidden: Tensor
    target: Tensor
    hidden_units: Mapping[str, Tensor] = field(default_factory=dict)
    target_units: Mapping[str, Tensor] = field(default_factory=dict)

    def mapped(self, change: Callable[[Tensor], Tensor]) -> "Mask":
        """The mask with every tensor changed in the same way, such as rows of it, or its copy on another device."""
        hidden_units = {name: change(units) for name, units in self.hidden_units.items()}
        target_units = {name: change(units) for name, units in self.target_units.items()}
        return Mask(change(self.hidden), change(self.target), hidden_units, target_units)

    def where_known(self, valid: Tensor, columns: Mapping[str, Tensor]) -> "Mask":
        """The mask of a batch, on its device: unknown values are hidden and no targets, and N is that of the batch.

        Args:
            valid: (B, M, T) whether values are known.
            columns: as of `neds.model.batch.Batch`.
        """
        own = self.mapped(lambda mask: mask.to(valid.device))
        hidden_units = {name: units[:, : columns[name].shape[1]] for name, units in own.hidden_units.items()}
        target_units = {name: units[:, : columns[name].shape[1]] for name, units in own.target_units.items()}
        return Mask(own.hidden | ~valid, own.target & valid, hidden_units, target_units)


def draw_masks(
    modalities: list[Modality],
    *,
    n_trials: int,
    n_bins: int,
    n_units: Mapping[str, int],
    scheme_weights: Mapping[Scheme, float],
    settings: MaskingSettings,
    generator: torch.Generator,
) -> Mask:
    """Draw a scheme and what it hides for every trial.

    A value per trial (categorical or scalar) is hidden whole or not at all, because any visible copy of it would give it
    away. The scheme future hides all of them, and does not ask for them: choice, reward and the like are only known
    afterwards, and no file says since when a value is known.

    Args:
        modalities: the M modalities, in the order of the masks.
        n_trials, n_bins: B and T.
        n_units: N of each modality of units, of the session that has most.
        scheme_weights: relative frequency by scheme name (`neds.model.settings.Scheme`).
        settings: how much the schemes hide; its weights are not looked at.
        generator: a CPU generator, so that the draws do not depend on the device.
    """
    n_modalities, ratio = len(modalities), settings.ratio
    neural = torch.tensor([m.group == "neural" for m in modalities])[None, :, None]
    whole = torch.tensor([m.per_trial for m in modalities])[None, :, None]
    of_units = torch.tensor([has_units(m) for m in modalities])[None, :, None]
    last = (torch.arange(n_bins) >= n_bins - n_last_bins(settings.future_ratio, n_bins))[None, None]

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
    alone = (uniform(n_trials) < settings.single_behaviour)[:, None, None]
    other_behaviours = ~neural & alone & ~shown_alone[:, :, None]
    # Drawn last, so that trainings without it draw everything else as before they knew of it.
    without_behaviour = torch.zeros(n_trials, 1, 1, dtype=torch.bool)
    if "units" in names:
        without_behaviour = (uniform(n_trials) < settings.units_without_behaviour)[:, None, None]

    # By the rows that a scheme is drawn for: with all schemes for all trials a batch of 1024 would keep a GPU waiting.
    schemes: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
        "encoding": lambda rows: (neural | other_behaviours[rows], neural),
        "decoding": lambda rows: (~neural, ~neural),
        "within_spikes": lambda rows: (neural & own_bins[rows],) * 2,
        "within_behaviour": lambda rows: (~neural & own_bins[rows],) * 2,
        "across": lambda rows: (same_bins[rows],) * 2,
        "units": lambda rows: (~neural & without_behaviour[rows], of_units),
        "future": lambda rows: (last | whole, last & ~whole),
    }
    hidden = torch.zeros(n_trials, n_modalities, n_bins, dtype=torch.bool)
    target = hidden.clone()
    for index, name in enumerate(names):
        rows = torch.nonzero(drawn == index).flatten()
        hidden[rows], target[rows] = schemes[name](rows)
    if "units" not in names:
        return Mask(hidden, target)
    in_scheme = (drawn == names.index("units"))[:, None]
    own = {m.name: uniform(n_trials, n_units[m.name]) < settings.unit_ratio for m in modalities if has_units(m)}
    hidden_units = {name: in_scheme & units for name, units in own.items()}
    return Mask(hidden, target, hidden_units, {name: ~in_scheme | units for name, units in own.items()})


def observe(modalities: list[Modality], valid: Tensor, observed: set[str]) -> Tensor:
    """Hide everything but the observed modalities: the mask (B, M, T) of a task such as encoding or decoding."""
    seen = torch.tensor([m.name in observed for m in modalities], device=valid.device)[None, :, None]
    return ~(seen & valid)
