"""The arrays of a user's file by name, with what is looked up in them.

Shapes: K trials, N units.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neds.errors import UserError


@dataclass(frozen=True)
class ArraySource:
    """The arrays of one file, by their names after renaming."""

    path: Path
    arrays: dict[str, np.ndarray]

    def where(self, key: str) -> str:
        return f"{self.path}, key {key}"

    def column(self, keys: tuple[str, ...], length: int, what: str) -> np.ndarray | None:
        """The first of `keys` that is there, checked to have shape (length,); None when all are absent."""
        key = next((key for key in keys if key in self.arrays), None)
        if key is None:
            return None
        if self.arrays[key].shape != (length,):
            raise UserError(
                f"{self.where(key)}: expected one value per {what} ({length}), found shape {self.arrays[key].shape}"
            )
        return self.arrays[key]

    def text(self, key: str) -> str:
        """A value of the whole session, given once or once per trial; empty when absent."""
        found = np.unique(self.arrays.get(key, np.array("")).astype(str))
        if len(found) > 1:
            raise UserError(f"{self.where(key)}: one session has one {key}, found {', '.join(found[:3])}")
        return str(found[0]) if len(found) else ""

    def number(self, key: str, setting: float | None, name: str) -> float:
        if setting is not None:
            return setting
        if key not in self.arrays:
            raise UserError(f"{self.path}: no key {key}; add it, or set `{name}` under `arrays`")
        value = self.arrays[key]
        if value.size != 1 or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
            found = value.item() if value.size == 1 else f"shape {value.shape}"
            raise UserError(f"{self.where(key)}: expected one number of seconds, found {found}")
        # The number that was meant: 0.02 of 32 bits is none of 64 bits.
        return float(np.format_float_positional(value.item() if value.dtype.kind in "iu" else value.ravel()[0]))
