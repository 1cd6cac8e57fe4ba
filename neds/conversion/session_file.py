"""The file of one session: on this computer, or on a server that is read by ranges.

Readers take it as h5py does, and its text is what messages call it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from neds.errors import UserError
from neds.files.addresses import address_fault
from neds.files.md5 import md5_of

if TYPE_CHECKING:
    from neds.download.ranges import RangedFile

SessionFile: TypeAlias = "Path | RangedFile"


@contextmanager
def session_file(path: Path | None, *, address: str = "", etag: str = "") -> Iterator[SessionFile]:
    """The file at a path or at an address, for as long as the block runs.

    Raises:
        UserError: there is none, both are named, or the server fails.
    """
    if (path is None) == (not address):
        raise UserError("name a session's file or its address, one of the two")
    if path is not None:
        if not path.is_file():
            raise UserError(f"{path}: no such file; correct the path in the sessions sheet")
        yield path
        return
    if fault := address_fault(address):
        raise UserError(fault)
    # Here, because it takes a while, and most files lie on this computer.
    from neds.download.ranges import read_by_ranges

    with read_by_ranges(address, etag=etag) as remote:
        yield remote


def file_record(file: SessionFile) -> dict[str, Any]:
    """What the provenance of a raw file says of one that it was read from."""
    if isinstance(file, Path):
        return {"name": file.name, "size": file.stat().st_size, "hash": md5_of(file)}
    found = file.version
    return {
        "name": file.address,
        "size": found.size,
        "etag": found.etag,
        "modified": found.modified,
        "in_parts": True,
    }
