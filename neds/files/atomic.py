"""Files that appear whole or not at all."""

import errno
import glob
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from neds.errors import UserError
from neds.processes import is_alive

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` when the block ends without an exception.

    The temporary file keeps the suffix of `path`, because some writers choose their format by it. Where `path` is this
    process's temporary file already, whoever chose it renames it, and it is yielded itself.

    Raises:
        UserError: the disk is full, or no file can be made there.
    """
    path = Path(path)
    with _refused(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    if _is_temporary(path):
        with _explained(path):
            yield path
        return
    temporary = temporary_path(path)
    try:
        with _refused(path):
            temporary.touch()
        mode = temporary.stat().st_mode
        with _explained(path):
            yield temporary
            with open(temporary, "rb+") as handle:
                os.fsync(handle.fileno())
        # Safetensors makes files that only their owner may read.
        temporary.chmod(mode)
        with _refused(path):
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it takes the place of `path` when the block ends without an exception.

    Where `path` is this process's temporary folder already, it is made and yielded itself.

    Raises:
        UserError: the disk is full, or no folder can be made there.
    """
    path = Path(path)
    with _refused(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    if _is_temporary(path):
        path.mkdir()
        with _explained(path):
            yield path
        return
    temporary = temporary_path(path)
    try:
        with _refused(path):
            temporary.mkdir()
        with _explained(path):
            yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def temporary_path(path: Path) -> Path:
    """The name of this process's temporary file for `path`; those that killed processes of this machine left are removed."""
    parts = (f".{path.stem}.{platform.node()}.", f".partial{path.suffix}")
    for leftover in path.parent.glob("*".join(map(glob.escape, parts))):
        pid = leftover.name[len(parts[0]) : -len(parts[1])]
        if pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    return path.with_name(f"{parts[0]}{os.getpid()}{parts[1]}")


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and f".{platform.node()}.{os.getpid()}.partial" in path.name


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Say it of a place where nothing can be made: a folder of others, a file among the folders, a folder of that name."""
    try:
        yield
    except OSError as error:
        if is_full_disk(error):
            raise UserError(f"{path}: cannot be written, no space left; make room and run snakemake again") from error
        raise UserError(f"{path}: cannot be written ({error.strerror}); name another place") from error


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if is_full_disk(error):
            raise UserError(f"{path}: cannot be written, no space left; make room and run snakemake again") from error
        raise


def is_full_disk(error: BaseException | None) -> bool:
    """Whether a writer failed for want of space. HDF5 and safetensors say so in their message alone; numpy says only how
    much less was written than it wanted.

    A writer may fail once more while it gives up; then what it failed of first counts.
    """
    codes = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    while error is not None:
        told = any(os.strerror(code) in str(error) for code in codes)
        cut_short = isinstance(error, OSError) and re.fullmatch(r"\d+ requested and \d+ written", str(error).strip())
        if getattr(error, "errno", None) in codes or told or cut_short:
            return True
        error = error.__cause__ or error.__context__
    return False


def write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)
