"""What is known of a session's behaviours once it is cut.

Shapes: K trials, T bins.
"""

import numpy as np

from neds.files.aligned import SPLITS
from neds.modalities import Modality
from neds.partition.unusable import Unusable
from neds.words import counted


def require_known(
    values: dict[str, np.ndarray], modalities: dict[str, Modality], split: np.ndarray, dropped: dict[str, int]
) -> None:
    """Refuse a session in which a split has no known value of a modality: it could not be learned, or not be scored.

    Args:
        values: by modality.
        split: (K,) index into SPLITS.

    Raises:
        Unusable: naming the modality and the splits.
    """
    for name, array in values.items():
        if modalities[name].kind == "counts":
            continue
        is_known = np.greater_equal(array, 0) if modalities[name].kind == "categorical" else np.isfinite(array)
        known = np.any(is_known.reshape(len(array), -1), axis=1)
        own = [known[split == index] for index in range(len(SPLITS))]
        lacking = [what for what, of_split in zip(SPLITS, own, strict=True) if len(of_split) and not of_split.any()]
        if lacking:
            raise Unusable(f"{name} is unknown in all trials of {', '.join(lacking)}", dropped)


def masked(values: dict[str, np.ndarray]) -> list[str]:
    """A line for each continuous modality of which bins are unknown, and for each scalar one of which trials are."""
    lines = []
    for name, array in values.items():
        if array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        if array.ndim == 1:
            lines.append(
                f"{name}: unknown in {np.count_nonzero(~np.isfinite(array))} of {counted(len(array), 'trial')}"
            )
        else:
            unknown = ~np.isfinite(array).all(axis=2)
            lines.append(
                f"{name}: unknown in {counted(unknown.sum(), 'bin')} of {counted(unknown.any(axis=1).sum(), 'trial')}"
            )
    return lines
