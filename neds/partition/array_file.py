"""A user's file of arrays, .npz or HDF5, read into memory with clear errors."""

import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np

from neds.errors import UserError
from neds.files import hdf5
from neds.files.memory import available_bytes, readable_gb
from neds.values import as_text


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read all arrays of `path` by key, in the byte order of this machine; text comes as str arrays. HDF5: the datasets and
    attributes of the root; and the names of its groups, which are not read.

    Raises:
        UserError: the file is missing, damaged, of another type, holds pickled objects, or more than memory holds.
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
        arrays, groups = readers[path.suffix](path)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        detail = " ".join(str(error).split())
        raise UserError(
            f"{path}: damaged, or not plain numeric and text arrays ({detail}); write the file again"
        ) from None
    return {key: _plain(array, f"{path}, key {key}") for key, array in arrays.items()}, groups


def _read_npz(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    with open(path, "rb") as handle:
        if handle.read(6) == b"\x93NUMPY":
            raise UserError(f"{path}: is one array (.npy) named .npz; save all arrays with numpy.savez")
    _check_npz(path)
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}, []


def _check_npz(path: Path) -> None:
    """Judge the arrays by their headers, before memory is taken for them."""
    n_bytes = 0
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            key = entry.filename.removesuffix(".npy")
            with archive.open(entry) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(member)
            if dtype.hasobject:
                raise UserError(
                    f"{path}, key {key}: holds Python objects, which are never loaded; text of pandas becomes plain "
                    "text with .to_numpy(str)"
                )
            size = int(np.prod(shape, dtype=object)) * dtype.itemsize
            if size > entry.file_size:
                raise UserError(
                    f"{path}, key {key}: damaged (shape {shape} of {entry.file_size} bytes); write the file again"
                )
            n_bytes += size
    room = available_bytes()
    if room is not None and n_bytes > room:
        raise UserError(
            f"{path}: its arrays take {readable_gb(n_bytes)} of memory, of which {readable_gb(room)} are left; run on "
            "a machine with more, or write less into a file"
        )


def _read_hdf5(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    with h5py.File(path, "r") as handle:
        hdf5.refuse_foreign(handle, path)
        datasets = {key: item for key, item in handle.items() if isinstance(item, h5py.Dataset)}
        hdf5.require_memory(datasets, path)
        arrays = {key: np.asarray(value) for key, value in handle.attrs.items()}
        groups = [key for key in handle if key not in datasets]
        return arrays | {key: np.asarray(dataset[()]) for key, dataset in datasets.items()}, groups


def _plain(array: np.ndarray, where: str) -> np.ndarray:
    """In the byte order of this machine, bytes as text.

    Raises:
        UserError: it holds something else than numbers and text.
    """
    if array.dtype.kind in "SO":
        texts = [as_text(value) if isinstance(value, bytes) else value for value in array.ravel().tolist()]
        if not all(isinstance(text, str) for text in texts):
            raise UserError(f"{where}: holds neither numbers nor text; leave it out of the file")
        return np.array(texts, dtype=str).reshape(array.shape)
    if array.dtype.kind not in "biufcU":
        raise UserError(f"{where}: holds neither numbers nor text ({array.dtype}); leave it out of the file")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
