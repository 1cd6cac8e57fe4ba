"""A folder of this user's own, outside of the results: for locks, and for what executes code when it is read.

Ray keeps the state of a search in pickles. They lie outside of the results, which are shared, copied and unpacked from
archives: whoever could put a pickle there would run code as whoever starts the search again.
"""

import os
import stat
from pathlib import Path

from neds.errors import UserError


def private_folder(name: str) -> Path:
    """The folder NAME below $XDG_STATE_HOME/neds (~/.local/state/neds), made where it is missing.

    Raises:
        UserError: it cannot be made, or it, or the folder `neds`, belongs to somebody else, can be written by others or is a
            link.
    """
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state").absolute() / "neds"
    path = base / name
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        for folder in (base, path):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{error.filename}: {error.strerror}; set XDG_STATE_HOME to a folder that you can write"
        ) from None
    for folder in (base, path):
        found = folder.lstat()
        is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if not is_own or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise UserError(
                f"{folder}: is not a folder that you alone can write, and a search would run code from it; "
                "delete it, or set XDG_STATE_HOME to another folder"
            )
    return path
