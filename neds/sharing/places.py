"""A trained model as one folder: which files it has. The weights alone make the model; the rest tells people of it."""

from os import PathLike
from pathlib import Path

WEIGHTS, CONFIG, UNITS, CARD = "model.safetensors", "config.json", "units.csv", "README.md"
SOURCE = "source.json"
"""Where a model that was taken over came from."""
FILES = (WEIGHTS, CONFIG, UNITS, CARD, SOURCE)


def weights_of(path: str | PathLike[str]) -> Path:
    """The file of weights that a path stands for: of a folder the one in it, else the path itself."""
    found = Path(path)
    return found / WEIGHTS if found.is_dir() else found
