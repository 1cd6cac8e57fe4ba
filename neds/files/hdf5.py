"""What the HDF5 formats of this project share: opening with clear errors, data frames as groups of columns."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neds.files.reading import damaged, reading

_TEXT = h5py.string_dtype("utf-8")


@contextmanager
def opened(path: Path, *, file_format: str, version: int) -> Iterator[h5py.File]:
    """Open `path` for reading and check that it is a `file_format` file of `version`.

    Raises:
        UserError: missing or damaged file (also where the block meets the damage), another format, or another version.
    """
    with reading(path), h5py.File(path, "r") as handle:
        found = (handle.attrs.get("format"), handle.attrs.get("format_version"))
        if found != (file_format, version):
            raise damaged(path, f"expected a {file_format} file of version {version}, found {found[0]} {found[1]}")
        yield handle


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
