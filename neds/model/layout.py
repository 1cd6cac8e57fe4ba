"""The tokens of a trial: which input modalities have one for every patch of bins, and which have one for the whole trial."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neds.modalities import Modality
from neds.model.settings import ModelSettings


@dataclass(frozen=True)
class Layout:
    """Tokens in their order: the patches of each of `binned`, then one of each of `whole`.

    Attributes:
        binned: inputs with a token for every `patch_bins` bins.
        whole: inputs with one token.
        n_bins: all that are read: C of context, and T.
        n_context: C.
        patch_bins: bins of a patch; the last patch is filled up where they do not divide T.
    """

    binned: tuple[str, ...]
    whole: tuple[str, ...]
    n_bins: int
    patch_bins: int
    n_context: int = 0

    @property
    def n_predicted(self) -> int:
        """T."""
        return self.n_bins - self.n_context

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.binned + self.whole

    @property
    def n_patches(self) -> int:
        """Tokens of one of the modalities `binned`."""
        return -(-self.n_bins // self.patch_bins)

    @property
    def n_tokens(self) -> int:
        return len(self.binned) * self.n_patches + len(self.whole)

    def n_tokens_of(self, name: str) -> int:
        return 1 if name in self.whole else self.n_patches

    def n_values(self, name: str) -> int:
        """How many vectors a modality is mapped to before bins are joined in patches: C + T, or 1 for the whole
        trial.
        """
        return 1 if name in self.whole else self.n_bins

    def inputs_read_for(self, outputs: Collection[str]) -> tuple[str, ...]:
        """Inputs, in their order, from whose tokens outputs are read: their own, or all for an output without tokens in the
        bins.
        """
        own = tuple(name for name in self.binned if name in outputs)
        return own if len(own) == len(outputs) else self.inputs

    def indices(self, inputs: Sequence[str], device: torch.device) -> Tensor | None:
        """Places of the tokens of some `binned` inputs in the sequence; None for those of all inputs."""
        if len(inputs) == len(self.inputs):
            return None
        firsts = [self.binned.index(name) * self.n_patches for name in inputs]
        return torch.cat([torch.arange(first, first + self.n_patches, device=device) for first in firsts])

    def times(self, device: torch.device) -> Tensor:
        """Time of every token in bins, (tokens,): the middle of its patch, or of the window.

        A token of the whole trial belongs to all bins alike. From the middle the farthest of them is nearest; without an
        angle it would stand at bin 0, and attention, which starts local, would take it for one of the first bins.
        """
        patches = torch.arange(self.n_patches, device=device) * self.patch_bins + (self.patch_bins - 1) / 2
        middle = torch.full((len(self.whole),), self.n_context + (self.n_predicted - 1) / 2, device=device)
        return torch.cat([patches.repeat(len(self.binned)), middle])


def layout_of(inputs: Sequence[Modality], settings: ModelSettings, n_bins: int, n_context: int = 0) -> Layout:
    """The layout of a trial of T = `n_bins` and C = `n_context` bins. Where no input has a value per bin, the others have
    tokens in all bins, which mark the time.
    """
    one = settings.per_trial_tokens == "one" and not all(m.per_trial for m in inputs)
    whole = tuple(m.name for m in inputs if m.per_trial and one)
    binned = tuple(m.name for m in inputs if m.name not in whole)
    return Layout(binned, whole, n_context + n_bins, settings.patch_bins, n_context)
