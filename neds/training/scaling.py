"""Factors that turn errors of standardised values into errors of values scaled to their range."""

import numpy as np
import torch
from torch import Tensor

from neds.files.aligned import AlignedSession
from neds.modalities import Modality
from neds.training.settings import LossScaling

_LENGTH = {"unit_range": 1.0, "symmetric_range": 2.0}


def error_scales(
    sessions: list[AlignedSession], modalities: dict[str, Modality], scaling: LossScaling, *, device: torch.device
) -> dict[str, Tensor] | None:
    """Of each continuous and scalar modality (S, width) factors by session; None where errors stay standardised.

    The range is that of the known values of the session's training trials. What is constant there, and columns beyond the
    session's own, have the factor 1.

    Args:
        modalities: as wide as the widest session's.
    """
    if scaling == "standardised":
        return None
    scales = {}
    for name, modality in modalities.items():
        if modality.kind in ("continuous", "scalar"):
            scale = np.ones((len(sessions), modality.n_columns), dtype=np.float32)
            for row, session in zip(scale, sessions, strict=True):
                std = session.statistics[name]["std"]
                values = session.values[name][session.trials_of("train")].reshape(-1, len(std))
                least = np.where(np.isfinite(values), values, np.inf).min(0, initial=np.inf)
                largest = np.where(np.isfinite(values), values, -np.inf).max(0, initial=-np.inf)
                extent = largest - least
                row[: len(std)] = np.where(extent > 0, _LENGTH[scaling] * std / np.where(extent > 0, extent, 1), 1)
            scales[name] = torch.from_numpy(scale).to(device)
    return scales
