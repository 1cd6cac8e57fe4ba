"""What a step draws: which trials go through the network together, and what is hidden and predicted of each.

Shapes: B trials of a whole batch, of all processes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from neds.data.counts import Chosen, chosen_trials
from neds.data.store import TrialStore
from neds.device import sent
from neds.model.masking import Mask, draw_masks
from neds.model.network import Design
from neds.model.settings import MaskingSettings


@dataclass(frozen=True)
class Drawn:
    """Trials that go through the network together, and their masks, on the device of the network."""

    chosen: Chosen
    mask: Mask

    def tensors(self) -> list[Tensor]:
        """All that lies on the device."""
        mask = self.mask
        return [
            self.chosen.places,
            mask.hidden,
            mask.target,
            *mask.hidden_units.values(),
            *mask.target_units.values(),
        ]

    def mapped(self, change: Callable[[Tensor], Tensor]) -> "Drawn":
        """The same with every tensor on the device changed."""
        return Drawn(replace(self.chosen, places=change(self.chosen.places)), self.mask.mapped(change))


def drawn_parts(
    design: Design,
    store: TrialStore,
    sessions: np.ndarray,
    trials: np.ndarray,
    settings: MaskingSettings,
    own: np.ndarray,
    at_once: int,
    seed: int,
    *,
    alike: bool = False,
) -> list[Drawn]:
    """A process's rows of a batch, `at_once` at a time, with the masks that the whole batch draws.

    Args:
        sessions, trials: (B,) rows of the whole batch.
        own: rows that are this process's. Without any it gets one that has no target, to join the others' step with.
        seed: of the masks.
        alike: as in `Chosen`.
    """
    # Every process draws the masks of the whole batch, so that they do not depend on how it is cut.
    mask = draw_masks(
        list(design.modalities.values()),
        n_trials=len(trials),
        n_bins=store.n_bins,
        n_units=store.n_units,
        scheme_weights=design.mode.scheme_weights,
        settings=settings,
        generator=torch.Generator().manual_seed(seed),
    )
    if not len(own):
        own, mask = np.zeros(1, dtype=np.int64), replace(mask, target=torch.zeros_like(mask.target))
    parts = [own[start : start + at_once] for start in range(0, len(own), at_once)]
    return [
        Drawn(
            chosen_trials(sessions[rows], trials[rows], store.device, alike=alike),
            mask.mapped(partial(_sent_rows, torch.from_numpy(rows), store.device)),
        )
        for rows in parts
    ]


def _sent_rows(rows: Tensor, device: torch.device, mask: Tensor) -> Tensor:
    return sent(mask[rows], device)
