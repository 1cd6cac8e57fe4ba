"""What the HDF5 formats of this project share: opening with clear errors, data frames as groups of columns."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neds.errors import UserError
from neds.files.memory import available_bytes, readable_gb
from neds.files.reading import damaged, foreign, reading

_TEXT = h5py.string_dtype("utf-8")
MOST_COMPRESSED = 2000
"""Times the size of its file that an array may have; zlib reaches about 1000, and an array without a stored chunk any
number."""
_SMALL_BYTES = 64 * 2**20


@contextmanager
def opened(path: Path, *, file_format: str, version: int) -> Iterator[h5py.File]:
    """Open `path` for reading and check that it is a `file_format` file of `version`.

    Raises:
        UserError: missing or damaged file (also where the block meets the damage), another format, another version, or
        one that
            `refuse_foreign` refuses.
    """
    with reading(path, suffix=".h5"), h5py.File(path, "r") as handle:
        refuse_foreign(handle, path)
        found = (handle.attrs.get("format"), handle.attrs.get("format_version"))
        if found[0] is None:
            raise foreign(path, f"expected a {file_format} file")
        if found != (file_format, version):
            raise damaged(path, f"expected a {file_format} file of version {version}, found {found[0]} {found[1]}")
        yield handle


def refuse_foreign(handle: h5py.File, path: object, *, linked: Sequence[Path] = (), how: str = "") -> None:
    """Refuse a file that would have other files read in its place, or more memory taken than it can hold data for.

    External links, datasets in external files and virtual datasets make HDF5 open any file that the reader may read.
    Soft links lead to places of the same file, where they are judged. Nothing is read but the description of each
    object.

    Args:
        path: of the file, or its address.
        linked: files to which external links may lead, and which are to be judged likewise.
        how: how the user may name such files, for messages.

    Raises:
        UserError: one line that names the object.
    """
    size = max(handle.id.get_filesize(), 1)
    seen: set[int] = set()
    pending = [("", handle)]
    while pending:
        place, group = pending.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        for name in group:
            here = f"{place}/{name}"
            try:
                link = group.get(name, getlink=True)
            except TypeError:
                raise UserError(f"{path}: {here} is a link of a kind that is not followed; {_COPY}") from None
            if isinstance(link, h5py.ExternalLink):
                if not (isinstance(path, Path) and _leads_to(link, path, linked)):
                    raise UserError(
                        f"{path}: {here} is a link to another file ({link.filename}), which is not followed; {how}{_COPY}"
                    )
                continue
            if isinstance(link, h5py.SoftLink):
                continue
            item = group.get(name)
            if isinstance(item, h5py.Group):
                pending.append((here, item))
            elif isinstance(item, h5py.Dataset):
                _refuse_foreign_dataset(item, path, here, size)


def _leads_to(link: h5py.ExternalLink, path: Path, linked: Sequence[Path]) -> bool:
    """Whether the file that HDF5 will open for a link of `path` is one of `linked`.

    It looks beside `path` first, but for a folder that the environment names, which is not allowed. Only what is there
    counts: else it would look elsewhere.
    """
    target = path.parent / link.filename
    elsewhere = "HDF5_EXT_PREFIX" in os.environ
    return not elsewhere and target.is_file() and any(file.is_file() and target.samefile(file) for file in linked)


_COPY = "write a file that holds the data itself"


def _refuse_foreign_dataset(dataset: h5py.Dataset, path: object, here: str, file_size: int) -> None:
    if dataset.is_virtual:
        raise UserError(f"{path}: {here} is a virtual dataset, made of other files, which are not read; {_COPY}")
    if dataset.external:
        raise UserError(
            f"{path}: {here} has its data in another file ({dataset.external[0][0]}), which is not read; {_COPY}"
        )
    # A chunk is read whole, and may be larger than what the dataset has of it.
    n_values = max(dataset.size or 0, math.prod(dataset.chunks or (0,)))
    n_bytes = n_values * dataset.dtype.itemsize
    if n_bytes > max(_SMALL_BYTES, MOST_COMPRESSED * file_size):
        raise UserError(
            f"{path}: {here} has shape {dataset.shape} and would take {readable_gb(n_bytes)}, in a file of {file_size} "
            "bytes; it cannot hold that much data, write it again"
        )


def require_memory(datasets: dict[str, h5py.Dataset], path: object) -> None:
    """
    Args:
        path: of the file, or its address.

    Raises:
        UserError: the datasets, by name, would not fit the memory that is left, together.
    """
    n_bytes = sum(dataset.size * dataset.dtype.itemsize for dataset in datasets.values() if dataset.shape is not None)
    room = available_bytes()
    if room is not None and n_bytes > room:
        raise UserError(
            f"{path}: {', '.join(list(datasets)[:5])} take {readable_gb(n_bytes)} of memory, of which "
            f"{readable_gb(room)} are left; run on a machine with more, or write less into a file"
        )


def write_table(parent: h5py.Group, name: str, table: pd.DataFrame) -> None:
    """Write one dataset per column of `table`; text columns as UTF-8 strings."""
    group = parent.create_group(name, track_order=True)
    group.attrs["n_rows"] = len(table)
    for column in table.columns:
        values = table[column].to_numpy()
        if values.dtype.kind in "OUS":
            group.create_dataset(column, data=values.astype(object), dtype=_TEXT)
        else:
            group.create_dataset(column, data=values)


def read_table(group: h5py.Group) -> pd.DataFrame:
    columns = {}
    for name, dataset in group.items():
        is_text = h5py.check_string_dtype(dataset.dtype) is not None
        columns[name] = dataset.asstr()[:] if is_text else dataset[:]
    return pd.DataFrame(columns, index=np.arange(group.attrs["n_rows"]))
