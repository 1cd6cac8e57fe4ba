"""Counts of many sessions, each with its own number of units, from which the trials of a batch are taken.

A batch is as wide as its widest session, or as the widest of all; beyond a session's own units it holds 0. Shapes: B trials
of the batch, K_s trials and N_s units of a session, T bins.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from neds.device import sent


class SessionCounts(Protocol):
    """Counts (K_s, T, N_s) of a session: an array, or what reads one from a file."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __getitem__(self, trials: np.ndarray) -> np.ndarray: ...


def bytes_on_device(of_sessions: Sequence[SessionCounts]) -> int:
    """Memory that `DeviceCounts` takes."""
    return _dtype(of_sessions).itemsize * sum(math.prod(counts.shape) for counts in of_sessions)


@dataclass(frozen=True)
class Chosen:
    """The trials of a batch.

    Attributes:
        sessions, trials: (B,) session, ascending, and index within it.
        places: (2, B) the same on the device.
        alike: whether batches of as many trials have the same shapes, whichever sessions they are of: all are as wide as the
            widest session of all.
    """

    sessions: np.ndarray
    trials: np.ndarray
    places: Tensor
    alike: bool = False


def chosen_trials(sessions: np.ndarray, trials: np.ndarray, device: torch.device, *, alike: bool = False) -> Chosen:
    """Trials (B,), indices within their `sessions` (B,), which ascend."""
    return Chosen(sessions, trials, sent(torch.from_numpy(np.stack([sessions, trials])), device), alike)


class HostCounts:
    """Counts in main memory or in files."""

    def __init__(self, of_sessions: Sequence[SessionCounts], device: torch.device):
        self._of_sessions = of_sessions
        self._device = device
        self._dtype = _dtype(of_sessions)
        self._units = np.array([counts.shape[-1] for counts in of_sessions])

    def take(self, chosen: Chosen) -> Tensor:
        """Integer counts (B, T, widest N_s) of the trials on the device."""
        sessions, trials = chosen.sessions, chosen.trials
        of_sessions = self._units if chosen.alike else self._units[sessions]
        shape = len(trials), self._of_sessions[0].shape[1], int(of_sessions.max())
        taken = torch.zeros(shape, dtype=self._dtype, pin_memory=self._device.type == "cuda")
        for session, rows in groups_of(sessions):
            taken.numpy()[rows, :, : self._units[session]] = self._of_sessions[session][trials[rows]]
        return taken.to(self._device, non_blocking=True)


class DeviceCounts:
    """Counts of all sessions in one tensor on the device, one trial after the other: a batch is one gather."""

    def __init__(self, of_sessions: Sequence[SessionCounts], device: torch.device):
        self._device = device
        self._units = np.array([counts.shape[-1] for counts in of_sessions])
        self._n_bins = of_sessions[0].shape[1]
        sizes = [int(np.prod(counts.shape)) for counts in of_sessions]
        starts = np.cumsum([0, *sizes[:-1]])
        self._starts_and_units = torch.from_numpy(np.stack([starts, self._units])).to(device)
        self._flat = torch.empty(sum(sizes), dtype=_dtype(of_sessions), device=device)
        for counts, part in zip(of_sessions, self._flat.split(sizes), strict=True):
            values = counts[np.arange(counts.shape[0])].astype(
                np.int32 if part.dtype == torch.int32 else np.uint8, copy=False
            )
            part.copy_(torch.from_numpy(np.ascontiguousarray(values)).flatten())

    def take(self, chosen: Chosen) -> Tensor:
        """Integer counts (B, T, widest N_s) of the trials."""
        sessions, trials = chosen.places[:, :, None, None]
        start, own = self._starts_and_units[:, sessions]
        of_sessions = self._units if chosen.alike else self._units[chosen.sessions]
        unit = torch.arange(int(of_sessions.max()), device=self._device)
        bins = trials * self._n_bins + torch.arange(self._n_bins, device=self._device)[:, None]
        is_own = unit < own
        return self._flat[torch.where(is_own, start + bins * own + unit, 0)] * is_own


def groups_of(sessions: np.ndarray) -> list[tuple[int, slice]]:
    """(session, its rows) of every session in `sessions` (B,), which ascend."""
    present, starts = np.unique(sessions, return_index=True)
    ends = [*starts[1:], len(sessions)]
    return [(int(s), slice(int(a), int(b))) for s, a, b in zip(present, starts, ends, strict=True)]


def _dtype(of_sessions: Sequence[SessionCounts]) -> torch.dtype:
    """Bytes where they suffice: torch cannot compute with other unsigned integers."""
    return torch.uint8 if all(counts.dtype == np.uint8 for counts in of_sessions) else torch.int32
