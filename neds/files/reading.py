"""Reading a file of the workflow: what is wrong with it in one line, with the command that mends it."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neds.errors import UserError

_DAMAGE: tuple[type[Exception], ...] = (OSError, KeyError, ValueError, RuntimeError)


_SUFFIXES = (".h5", ".safetensors", ".csv", ".json", ".parquet", ".yaml")
"""Of files that the workflow makes."""


def damaged(path: Path, what: object) -> UserError:
    """The error for a file that holds something else than it should."""
    detail = " ".join(str(what).split())
    if Path(path).suffix not in _SUFFIXES:
        return foreign(path, detail)
    return UserError(f"{path}: damaged ({detail}); delete it and run snakemake again: rm {shlex.quote(str(path))}")


def foreign(path: Path, what: object) -> UserError:
    """The error for a file that the workflow did not make, which may be somebody's recording."""
    return UserError(f"{path}: no file that the workflow made ({what}); name the one that is meant")


@contextmanager
def reading(path: Path, *others: type[Exception]) -> Iterator[None]:
    """Explain what the readers within the block raise on a missing or damaged file.

    Args:
        others: exceptions of a reader that are none of Python's own.

    Raises:
        UserError: in their place.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; run the stage that writes it")
    faults = _DAMAGE + others
    try:
        yield
    except faults as error:
        # An error number comes from the operating system: permissions, a failing network disk.
        if isinstance(error, OSError) and error.errno:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        raise damaged(path, error) from error
