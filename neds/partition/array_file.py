"""A user's file of arrays, .npz or HDF5, read into memory with clear errors."""

import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np

from neds.errors import UserError


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of `path` by key; text comes as str arrays. HDF5: the datasets and attributes of the root.

    Raises:
        UserError: the file is missing, damaged, of another type, or holds pickled objects.
    """
    path = Path(path)
    readers = {".npz": _read_npz, ".h5": _read_hdf5, ".hdf5": _read_hdf5}
    if path.suffix not in readers:
        raise UserError(
            f"{path}: arrays are read from {', '.join(readers)} files only; save them in one of these formats"
        )
    if not path.is_file():
        raise UserError(f"{path}: no such file; correct the path in the sessions sheet")
    try:
        return readers[path.suffix](path)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        detail = " ".join(str(error).split())
        raise UserError(
            f"{path}: damaged, or not plain numeric and text arrays ({detail}); write the file again"
        ) from None


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def _read_hdf5(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path, "r") as handle:
        arrays = {key: np.asarray(value) for key, value in handle.attrs.items()}
        for key, dataset in handle.items():
            if isinstance(dataset, h5py.Dataset):
                is_text = h5py.check_string_dtype(dataset.dtype) is not None
                arrays[key] = np.asarray(dataset.asstr()[()] if is_text else dataset[()])
    return {key: array.astype(str) if array.dtype.kind in "OS" else array for key, array in arrays.items()}
