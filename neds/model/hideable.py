"""What of a trial can be hidden beside whole modalities: units, and the bins at its end."""

from neds.modalities import Modality


def has_units(modality: Modality) -> bool:
    """Whether the columns of a modality are units, which can be hidden one by one."""
    return modality.group == "neural" and modality.kind == "counts"


def n_last_bins(ratio: float, n_bins: int) -> int:
    """The bins that are a share of a window's, one at least and never all."""
    return min(max(round(ratio * n_bins), 1), n_bins - 1)
