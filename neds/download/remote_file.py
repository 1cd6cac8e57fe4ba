"""A file that stays on the database's server and is read in parts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RemoteFile:
    """Such a file.

    Attributes:
        name: for messages.
        size: of the whole, in bytes.
        fetch: the bytes from a first one to one that is not included; one of NETWORK_ERRORS where the network fails.
        folder: where what has arrived is kept.
    """

    name: str
    size: int
    fetch: Callable[[int, int], bytes]
    folder: Path
