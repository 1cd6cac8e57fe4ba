"""Trials of many sessions held in memory, from which batches are cut by indexing.

Spikes stay integers, so that tens of sessions fit; they are standardised a batch at a time.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from neds.errors import UserError
from neds.files.aligned import AlignedSession
from neds.modalities import Modality
from neds.model.batch import Batch
from neds.model.stitching import SessionShape


class TrialStore:
    """Aligned sessions of one design (same modalities, bins), held on the device where they fit, else in main memory."""

    def __init__(self, sessions: list[AlignedSession], *, names: list[str], device: torch.device):
        """
        Args:
            sessions: usable sessions.
            names: modalities to hold.

        Raises:
            UserError: sessions that differ in their window or bins, or lack a modality.
        """
        first = sessions[0]
        self.n_bins, self.bin_s, self.device = first.n_bins, first.bin_s, device
        for session in sessions:
            if (session.n_bins, session.bin_s) != (self.n_bins, self.bin_s):
                raise UserError(
                    f"session {session.eid} has {session.n_bins} bins of {session.bin_s} s, session {first.eid} has "
                    f"{self.n_bins} of {self.bin_s} s; sessions that train together need the same bins"
                )
            if abs(session.window_start_s - first.window_start_s) > 1e-6:
                raise UserError(
                    f"bin 0 of session {session.eid} starts {session.window_start_s} s from the event, that of session "
                    f"{first.eid} {first.window_start_s} s; sessions that train together need the same window"
                )
            absent = [name for name in names if name not in session.values]
            if absent:
                raise UserError(f"session {session.eid} has no {', '.join(absent)}; make its aligned file again")
        self.modalities: dict[str, Modality] = {name: _common([s.modalities[name] for s in sessions]) for name in names}
        self.eids = [session.eid for session in sessions]
        held = sum(session.values[name].nbytes for session in sessions for name in names)
        self._storage = device if _fits(held, device) else torch.device("cpu")
        self._values = [self._load(session) for session in sessions]
        self._scales = [self._scaling(session) for session in sessions]
        self.shapes = [self._shape(session) for session in sessions]
        self.trials = [{split: session.trials_of(split) for split in ("train", "val", "test")} for session in sessions]

    def _load(self, session: AlignedSession) -> dict[str, Tensor]:
        values = {}
        for name, modality in self.modalities.items():
            array = session.values[name]
            if modality.kind in ("continuous", "scalar"):
                statistics = session.statistics[name]
                array = ((array - statistics["mean"]) / statistics["std"]).astype(np.float32)
            if modality.kind == "continuous":
                array = np.pad(array, ((0, 0), (0, 0), (0, modality.n_columns - array.shape[-1])))
            elif modality.kind == "counts" and array.dtype == np.uint16:
                array = array.astype(np.int32)
            values[name] = torch.from_numpy(np.ascontiguousarray(array)).to(self._storage)
        return values

    def _float(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def _scaling(self, session: AlignedSession) -> dict[str, tuple[Tensor, Tensor]]:
        return {
            name: (self._float(session.statistics[name]["mean"]), self._float(session.statistics[name]["std"]))
            for name, modality in self.modalities.items()
            if modality.kind != "categorical"
        }

    def _shape(self, session: AlignedSession) -> SessionShape:
        null_key = {"counts": "mean", "categorical": "frequency"}
        return SessionShape(
            eid=session.eid,
            units={n: session.values[n].shape[-1] for n, m in self.modalities.items() if m.kind == "counts"},
            null={
                name: torch.as_tensor(session.statistics[name][null_key[m.kind]], dtype=torch.float32)
                for name, m in self.modalities.items()
                if m.kind in null_key
            },
        )

    def batch(self, sessions: np.ndarray, trials: np.ndarray) -> Batch:
        """Cut a batch of the given trials (indices within their sessions); both arrays are (B,), `sessions` ascending."""
        present, starts = np.unique(sessions, return_index=True)
        ends = [*starts[1:], len(sessions)]
        groups = [(int(s), slice(int(a), int(b))) for s, a, b in zip(present, starts, ends, strict=True)]
        rows = [torch.from_numpy(trials[span]).to(self._storage) for _, span in groups]
        counts, scaled, continuous, columns, categorical, scalar, valid = {}, {}, {}, {}, {}, {}, {}
        for name, modality in self.modalities.items():
            parts = [self._values[s][name][row].to(self.device) for (s, _), row in zip(groups, rows, strict=True)]
            if modality.kind == "counts":
                counts[name] = [part.float() for part in parts]
                scaling = [self._scales[s][name] for s, _ in groups]
                scaled[name] = [(x - mean) / std for x, (mean, std) in zip(counts[name], scaling, strict=True)]
                known = torch.ones(len(trials), self.n_bins, dtype=torch.bool, device=self.device)
            elif modality.kind == "continuous":
                values = torch.cat(parts)
                known = values.isfinite().all(-1)
                continuous[name] = torch.where(known[..., None], values, 0.0)
                widths = [len(self._scales[s][name][0]) for s, _ in groups]
                own = torch.tensor(widths, device=self.device)[np.searchsorted(present, sessions)]
                columns[name] = torch.arange(modality.n_columns, device=self.device) < own[:, None]
            elif modality.kind == "scalar":
                values = torch.cat(parts)
                known = values.isfinite()[:, None].expand(-1, self.n_bins)
                scalar[name] = torch.where(values.isfinite(), values, 0.0)
            else:
                values = torch.cat(parts).long()
                known = (values >= 0)[:, None].expand(-1, self.n_bins)
                categorical[name] = values.clamp(min=0)
            valid[name] = known
        return Batch(
            sessions=torch.from_numpy(sessions).to(self.device),
            groups=groups,
            counts=counts,
            scaled_counts=scaled,
            continuous=continuous,
            columns=columns,
            categorical=categorical,
            scalar=scalar,
            valid=valid,
        )

    def shuffled(
        self, split: str, *, batch_size: int, balanced: bool, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches of all sessions' trials in random order as (sessions, trials), sorted by session, for `batch`.

        The short last batch is included.

        Args:
            balanced: draw equally many trials of every session (those of small sessions more than once, and not all
                of large ones); otherwise every trial once.
        """
        own = [trials[split] for trials in self.trials]
        if balanced:
            share = -(-self.n_trials(split) // len(own))
            own = [np.concatenate([rng.permutation(t) for _ in range(-(-share // len(t)))])[:share] for t in own]
        sessions = np.repeat(np.arange(len(own)), [len(trials) for trials in own])
        trials = np.concatenate(own)
        order = rng.permutation(len(trials))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            chosen = chosen[np.argsort(sessions[chosen], kind="stable")]
            yield sessions[chosen], trials[chosen]

    def n_shuffled(self, split: str, *, balanced: bool) -> int:
        """Number of trials that `shuffled` gives."""
        n_trials = self.n_trials(split)
        return -(-n_trials // len(self.eids)) * len(self.eids) if balanced else n_trials

    def n_batches(self, split: str, *, batch_size: int, balanced: bool) -> int:
        """Number of batches of `shuffled`."""
        return -(-self.n_shuffled(split, balanced=balanced) // batch_size)

    def in_order(self, session: int, split: str, *, batch_size: int) -> Iterator[Batch]:
        """Batches of one session's trials of a split, in the order of the file."""
        trials = self.trials[session][split]
        for start in range(0, len(trials), batch_size):
            chosen = trials[start : start + batch_size]
            yield self.batch(np.full(len(chosen), session), chosen)

    def unscaled(self, session: int, name: str, values: Tensor) -> Tensor:
        """Standardised values (..., width) of a continuous modality, or (..., 1) of a scalar one, back in its own unit, of
        the session's own columns.
        """
        mean, std = self._scales[session][name]
        return values[..., : len(mean)] * std + mean

    def n_trials(self, split: str) -> int:
        return sum(len(trials[split]) for trials in self.trials)


def _common(of_sessions: list[Modality]) -> Modality:
    """One modality of all sessions, as wide as that of the widest."""
    if of_sessions[0].kind != "continuous":
        return of_sessions[0]
    return of_sessions[0].model_copy(update={"width": max(modality.n_columns for modality in of_sessions)})


def _fits(n_bytes: int, device: torch.device) -> bool:
    """Whether the data may stay on the device: on a GPU, when they take less than half of its free memory."""
    return device.type != "cuda" or n_bytes < torch.cuda.mem_get_info(device)[0] / 2


def stacked_valid(batch: Batch, modalities: dict[str, Modality]) -> Tensor:
    """Whether each value is known, (B, M, T), modalities in the given order."""
    return torch.stack([batch.valid[name] for name in modalities], dim=1)
