"""Counts that stay in their file."""

from functools import cached_property
from pathlib import Path
from typing import NoReturn

import h5py
import numpy as np


class StoredCounts:
    """Counts (K trials, T bins, N units) in an aligned file, of which indexing with trials reads those alone.

    It stands for the array where trials are taken, and nowhere else. A trial is one chunk of the file, so that reading it
    unpacks nothing else. The file stays open once it was read from.
    """

    ndim = 3

    def __init__(self, path: Path, dataset: h5py.Dataset):
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype = dataset.dtype
        self._path, self._name = path, dataset.name

    def __getitem__(self, trials: np.ndarray) -> np.ndarray:
        """Counts (k, T, N) of trials, given as indices or as a mask (K,)."""
        chosen = np.flatnonzero(trials) if trials.dtype == bool else trials
        taken = np.empty((len(chosen), *self.shape[1:]), self.dtype)
        for into, trial in zip(taken, chosen, strict=True):
            into[...] = self._dataset[trial]
        return taken

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        """Without this, numpy would make an array of one object, the reader itself."""
        raise TypeError(f"counts {self.shape} stay in {self._path}: index the trials that are needed")

    @cached_property
    def _dataset(self) -> h5py.Dataset:
        # No cache: a chunk is a trial, which is seldom read twice in a row.
        return h5py.File(self._path, "r", rdcc_nbytes=0)[self._name]
