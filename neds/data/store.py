"""Trials of many sessions, from which batches are cut by indexing.

Spikes stay integers, so that tens of sessions fit; they are standardised a batch at a time. Shapes: B trials of a batch, T
bins, C bins of context before these, S sessions.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from neds.data.counts import Chosen, DeviceCounts, HostCounts, bytes_on_device, chosen_trials, groups_of
from neds.errors import UserError
from neds.files.aligned import AlignedSession
from neds.modalities import Modality
from neds.model.batch import Batch
from neds.model.stitching import SessionShape


class TrialStore:
    """Aligned sessions of one design (same modalities, bins), with counts on the device where they fit there."""

    def __init__(self, sessions: list[AlignedSession], *, names: list[str], device: torch.device):
        """
        Args:
            sessions: usable sessions.
            names: modalities to hold.

        Raises:
            UserError: sessions that differ in their window or bins, or lack a modality.
        """
        first = sessions[0]
        self.n_bins, self.n_context, self.bin_s, self.device = first.n_bins, first.n_context, first.bin_s, device
        for session in sessions:
            if (session.n_bins, session.bin_s) != (self.n_bins, self.bin_s):
                raise UserError(
                    f"session {session.eid} has {session.n_bins} bins of {session.bin_s} s, session {first.eid} has "
                    f"{self.n_bins} of {self.bin_s} s; sessions that train together need the same bins"
                )
            if session.n_context != self.n_context:
                raise UserError(
                    f"session {session.eid} has {session.n_context} bins of context, session {first.eid} has "
                    f"{self.n_context}; sessions that train together need the same context"
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
        n_trials = [session.n_trials for session in sessions]
        self._first = torch.from_numpy(np.cumsum([0, *n_trials[:-1]])).to(device)
        self._counts = {
            n: self._held([session.values[n] for session in sessions])
            for n, m in self.modalities.items()
            if m.kind == "counts"
        }
        self._values = {
            n: self._joined(sessions, n, [session.values[n] for session in sessions])
            for n in names
            if n not in self._counts
        }
        scaled = [name for name, modality in self.modalities.items() if modality.kind != "categorical"]
        self._widths = {n: [len(session.statistics[n]["mean"]) for session in sessions] for n in scaled}
        self._means = {n: self._table(sessions, n, "mean", 0.0) for n in scaled}
        self._stds = {n: self._table(sessions, n, "std", 1.0) for n in scaled}
        self._columns = {n: self._own_columns(n) for n in scaled if self.modalities[n].kind != "scalar"}
        self._before = self._context(sessions) if self.n_context else {}
        self._before_known = {
            n: torch.from_numpy(np.concatenate([session.context_known[n] for session in sessions])).to(device)
            for n in self._before
            if n in self._counts
        }
        self.shapes = [self._shape(session) for session in sessions]
        self.trials = [{split: session.trials_of(split) for split in ("train", "val", "test")} for session in sessions]

    def _context(self, sessions: list[AlignedSession]) -> dict[str, HostCounts | DeviceCounts | Tensor]:
        """What comes before the windows, of each modality with values in bins, as these."""
        held: dict[str, HostCounts | DeviceCounts | Tensor] = {}
        for name, modality in self.modalities.items():
            if not modality.per_trial:
                own = [session.context[name] for session in sessions]
                held[name] = self._held(own) if name in self._counts else self._joined(sessions, name, own)
        return held

    def _held(self, of_sessions: list[np.ndarray]) -> HostCounts | DeviceCounts:
        n_bytes = bytes_on_device(of_sessions)
        on_device = self.device.type == "cuda" and n_bytes < torch.cuda.mem_get_info(self.device)[0] / 2
        return (DeviceCounts if on_device else HostCounts)(of_sessions, self.device)

    def _joined(self, sessions: list[AlignedSession], name: str, of_sessions: list[np.ndarray]) -> Tensor:
        """Values of all sessions' trials on the device, standardised unless they are classes."""
        modality, parts = self.modalities[name], []
        for session, array in zip(sessions, of_sessions, strict=True):
            if modality.kind != "categorical":
                statistics = session.statistics[name]
                array = ((array - statistics["mean"]) / statistics["std"]).astype(np.float32)
            if modality.kind == "continuous":
                array = np.pad(array, ((0, 0), (0, 0), (0, modality.n_columns - array.shape[-1])))
            parts.append(array)
        return torch.from_numpy(np.concatenate(parts)).to(self.device)

    def _table(self, sessions: list[AlignedSession], name: str, key: str, beyond: float) -> Tensor:
        """One statistic of every session's columns (S, widest)."""
        table = np.full((len(sessions), max(self._widths[name])), beyond, np.float32)
        for row, session, width in zip(table, sessions, self._widths[name], strict=True):
            row[:width] = session.statistics[name][key]
        return torch.from_numpy(table).to(self.device)

    def _own_columns(self, name: str) -> Tensor:
        """Which columns are a session's own, (S, widest)."""
        widths = torch.tensor(self._widths[name], device=self.device)
        return torch.arange(int(widths.max()), device=self.device) < widths[:, None]

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

    @property
    def is_on_device(self) -> bool:
        """Whether no batch needs anything of main memory but which trials it is of."""
        held = [*self._counts.values(), *self._before.values()]
        return not any(isinstance(values, HostCounts) for values in held)

    def batch(self, sessions: np.ndarray, trials: np.ndarray) -> Batch:
        """Cut a batch of the given trials (indices within their sessions); both arrays are (B,), `sessions` ascending."""
        return self.batch_of(chosen_trials(sessions, trials, self.device))

    def batch_of(self, chosen: Chosen) -> Batch:
        """Cut a batch."""
        of_trial, n_trials = chosen.places[0], chosen.places.shape[1]
        row = self._first[of_trial] + chosen.places[1]
        counts, scaled, continuous, columns, categorical, scalar, valid = {}, {}, {}, {}, {}, {}, {}
        for name, modality in self.modalities.items():
            if modality.kind == "counts":
                counts[name] = self._counts[name].take(chosen).float()
                scaled[name] = self._standardised(name, counts[name], of_trial)
                columns[name] = self._columns[name][of_trial, : counts[name].shape[-1]]
                valid[name] = torch.ones(n_trials, self.n_bins, dtype=torch.bool, device=self.device)
                continue
            values = self._values[name][row]
            if modality.kind == "continuous":
                valid[name] = values.isfinite().all(-1)
                continuous[name] = torch.where(valid[name][..., None], values, 0.0)
                columns[name] = self._columns[name][of_trial]
            elif modality.kind == "scalar":
                valid[name] = values.isfinite()[:, None].expand(-1, self.n_bins)
                scalar[name] = torch.where(values.isfinite(), values, 0.0)
            else:
                valid[name] = (values >= 0)[:, None].expand(-1, self.n_bins)
                categorical[name] = values.long().clamp(min=0)
        context, context_valid = {}, {}
        for name, before in self._before.items():
            if isinstance(before, Tensor):
                context_valid[name] = before[row].isfinite().all(-1)
                context[name] = torch.where(context_valid[name][..., None], before[row], 0.0)
            else:
                context_valid[name] = self._before_known[name][row]
                context[name] = self._standardised(name, before.take(chosen).float(), of_trial)
        return Batch(
            sessions=of_trial,
            groups=None if chosen.alike else groups_of(chosen.sessions),
            counts=counts,
            scaled_counts=scaled,
            continuous=continuous,
            columns=columns,
            categorical=categorical,
            scalar=scalar,
            valid=valid,
            context=context,
            context_valid=context_valid,
        )

    def _standardised(self, name: str, counts: Tensor, of_trial: Tensor) -> Tensor:
        width = counts.shape[-1]
        mean, std = (table[of_trial, None, :width] for table in (self._means[name], self._stds[name]))
        return (counts - mean) / std

    def of_trials(self, session: int, trials: np.ndarray, name: str) -> np.ndarray:
        """Values (k,) of a modality of one value per trial: classes, -1 where unknown; or standardised, NaN there."""
        rows = self._first[session] + torch.from_numpy(trials).to(self.device)
        return self._values[name][rows].cpu().numpy()

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

    def widest(self, split: str, n_trials: int) -> tuple[np.ndarray, np.ndarray]:
        """As many trials of the session that has most counts in a bin, some of them repeatedly where it has fewer: the
        largest batch that there can be, as (sessions, trials).
        """
        n_counts = [
            sum(shape.units.values()) if t[split].size else 0 for shape, t in zip(self.shapes, self.trials, strict=True)
        ]
        session = int(np.argmax(n_counts))
        return np.full(n_trials, session), np.resize(self.trials[session][split], n_trials)

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
        width = self._widths[name][session]
        mean, std = (table[session, :width] for table in (self._means[name], self._stds[name]))
        return values[..., :width] * std + mean

    @property
    def n_units(self) -> dict[str, int]:
        """Columns of each counts modality, of the session that has most."""
        counts = [name for name, modality in self.modalities.items() if modality.kind == "counts"]
        return {name: max(self._widths[name]) for name in counts}

    def n_trials(self, split: str) -> int:
        return sum(len(trials[split]) for trials in self.trials)


def _common(of_sessions: list[Modality]) -> Modality:
    """One modality of all sessions, as wide as that of the widest."""
    if of_sessions[0].kind != "continuous":
        return of_sessions[0]
    return of_sessions[0].model_copy(update={"width": max(modality.n_columns for modality in of_sessions)})


def stacked_valid(batch: Batch, modalities: dict[str, Modality]) -> Tensor:
    """Whether each value is known, (B, M, T), modalities in the given order."""
    return torch.stack([batch.valid[name] for name in modalities], dim=1)
