"""Units of the loss: factors of each session's errors and count losses."""

import numpy as np
import torch
from torch import Tensor

from neds.files.aligned import AlignedSession
from neds.modalities import Modality
from neds.training.settings import TrainingSettings

_LENGTH = {"unit_range": 1.0, "symmetric_range": 2.0}


def loss_scales(
    sessions: list[AlignedSession], modalities: dict[str, Modality], settings: TrainingSettings, *, device: torch.device
) -> dict[str, Tensor]:
    """Factors (S, width or 1) by session, of those modalities whose loss the settings give another unit.

    Of counts, with `count_loss: per_spike`, one over the mean count per bin and unit in the session's training trials; 1
    where there is none. Of continuous and scalar modalities, with a `loss_scaling` to their range, that of the known values
    of the session's training trials. What is constant there, and columns beyond the session's own, have the factor 1.

    Args:
        modalities: as wide as the widest session's.
    """
    scales = {}
    for name, modality in modalities.items():
        if modality.kind == "counts" and settings.count_loss == "per_spike":
            means = [float(np.mean(session.statistics[name]["mean"])) for session in sessions]
            scale = np.array([[1 / mean if mean > 0 else 1.0] for mean in means], dtype=np.float32)
            scales[name] = torch.from_numpy(scale).to(device)
        elif modality.kind in ("continuous", "scalar") and settings.loss_scaling != "standardised":
            length = _LENGTH[settings.loss_scaling]
            scales[name] = torch.from_numpy(_range_scales(sessions, name, modality, length)).to(device)
    return scales


def _range_scales(sessions: list[AlignedSession], name: str, modality: Modality, length: float) -> np.ndarray:
    """(S, width) factors that turn errors of standardised values into errors of values scaled to a range of `length`."""
    scale = np.ones((len(sessions), modality.n_columns), dtype=np.float32)
    for row, session in zip(scale, sessions, strict=True):
        std = session.statistics[name]["std"]
        values = session.values[name][session.trials_of("train")].reshape(-1, len(std))
        least = np.where(np.isfinite(values), values, np.inf).min(0, initial=np.inf)
        largest = np.where(np.isfinite(values), values, -np.inf).max(0, initial=-np.inf)
        extent = largest - least
        row[: len(std)] = np.where(extent > 0, length * std / np.where(extent > 0, extent, 1), 1)
    return scale
