"""What `neds check` has to say."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: e.g. "data".
        state: "missing" where a run would fail for want of it.
        said: in words.
    """

    about: str
    state: Literal["fine", "note", "missing"]
    said: str
