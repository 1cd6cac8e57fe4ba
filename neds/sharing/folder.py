"""The folder that a shared model is written to, which is replaced as a whole."""

import json
from pathlib import Path

from neds.errors import UserError
from neds.sharing.description import MODEL_FORMAT, MOST_CONFIG_BYTES
from neds.sharing.places import CONFIG, FILES


def own_folder(output: Path) -> Path:
    """The absolute path of a folder that may be written or replaced; of a link, what it leads to.

    Raises:
        UserError: it is a file, holds something else than a shared model, or is the folder that the process is in.
    """
    folder = output.resolve()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output: {output} is a file; name a folder")
    if folder == Path.cwd():
        raise UserError(f"--output: {output} is the folder that you are in; name one inside or beside it")
    held = sorted(folder.iterdir()) if folder.is_dir() else []
    others = [path.name for path in held if path.name not in FILES or path.is_dir()]
    if others:
        raise UserError(f"--output: {output} holds other things ({others[0]}); name a folder for the model alone")
    if held and not _is_shared_model(folder):
        raise UserError(
            f"--output: {output} holds files, but is no shared model; name another folder, or empty it first"
        )
    return folder


def _is_shared_model(folder: Path) -> bool:
    path = folder / CONFIG
    if not path.is_file() or path.stat().st_size > MOST_CONFIG_BYTES:
        return False
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(values, dict) and values.get("format") == MODEL_FORMAT
