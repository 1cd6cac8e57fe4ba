"""Reading a file of the workflow: what is wrong with it in one line, with the command that mends it."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neds.errors import UserError

_DAMAGE: tuple[type[Exception], ...] = (OSError, KeyError, ValueError, RuntimeError)


def damaged(path: Path, what: object) -> UserError:
    """The error for a file that holds something else than it should."""
    detail = " ".join(str(what).split())
    return UserError(f"{path}: damaged ({detail}); delete it and run snakemake again: rm {shlex.quote(str(path))}")


def foreign(path: Path, what: object) -> UserError:
    """The error for a file that the workflow did not make, which may be somebody's recording."""
    return UserError(f"{path}: no file that the workflow made ({what}); name the one that is meant")


def _holds_results(folder: Path) -> bool:
    """Whether a folder is one of results, by those that every workflow makes in it first."""
    return (folder / "logs").is_dir() and (folder / "aligned").is_dir()


@contextmanager
def reading(path: Path, *others: type[Exception], suffix: str = "") -> Iterator[None]:
    """Explain what the readers within the block raise on a missing or damaged file.

    Args:
        others: exceptions of a reader that are none of Python's own.
        suffix: of such files of the workflow; one that ends otherwise and cannot be read is somebody's own.

    Raises:
        UserError: in their place.
    """
    if not Path(path).is_file():
        made = any(map(_holds_results, Path(path).absolute().parents))
        raise UserError(f"{path}: no such file; {'run the stage that writes it' if made else 'correct the path'}")
    faults = _DAMAGE + others
    try:
        yield
    except faults as error:
        # An error number comes from the operating system: permissions, a failing network disk.
        if isinstance(error, OSError) and error.errno:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        if suffix and Path(path).suffix != suffix:
            raise foreign(path, f"expected {suffix}") from error
        raise damaged(path, error) from error
