"""A trained model as one folder: which files it has. The weights alone make the model; the rest tells people of it."""

import re
from os import PathLike
from pathlib import Path
from typing import Annotated

from neds.errors import UserError
from neds.files.roles import Role

WEIGHTS, CONFIG, UNITS, CARD = "model.safetensors", "config.json", "units.csv", "README.md"
SOURCE = "source.json"
"""Where a model that was taken over came from."""
FILES = (WEIGHTS, CONFIG, UNITS, CARD, SOURCE)
ModelPath = Annotated[Path, Role("input", within=WEIGHTS)]
"""The role of a stage's parameter that is a checkpoint, or such a folder."""


def weights_file(folder: str | PathLike[str]) -> Path:
    """The file of weights in a shared model's folder."""
    return Path(folder, WEIGHTS)


def weights_of(path: str | PathLike[str]) -> Path:
    """The file of weights that a path stands for: of a folder the one in it, else the path itself.

    Raises:
        UserError: it is an address.
    """
    if re.match(r"https?:/", str(path)):
        raise UserError(
            f"{path}: is an address; neds import --source ADDRESS --output FOLDER fetches it; name the folder"
        )
    return weights_file(path) if Path(path).is_dir() else Path(path)
