"""The aligned session file: trials x bins, units and split; all that models and baselines ever see (docs/files.md).

Shapes: K trials, T bins, C bins of context before these, N units.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import h5py
import numpy as np
import pandas as pd

from neds.files import hdf5
from neds.files.atomic import replacing
from neds.files.stored import StoredCounts
from neds.modalities import Modality

FORMAT, VERSION = "neds-aligned", 1
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Components:
    """Principal components in the place of a modality's F values per bin.

    Attributes:
        mean: (F,) of the values.
        weights: (d, F), rows of length 1, at right angles to each other.
        variance_share: (d,) of the variance in the training trials that each holds, descending.
    """

    mean: np.ndarray
    weights: np.ndarray
    variance_share: np.ndarray

    def project(self, values: np.ndarray) -> np.ndarray:
        """Values (..., F) as components (..., d), float32; NaN where a value is unknown."""
        return ((values - self.mean) @ self.weights.T).astype(np.float32)

    def restored(self, components: np.ndarray) -> np.ndarray:
        """Components (..., d), measured or predicted, as values (..., F): all of these but what the components leave out."""
        return components @ self.weights + self.mean


@dataclass(frozen=True, kw_only=True)
class AlignedSession:
    """One session cut into trials, or the record of why it cannot be used.

    Attributes:
        eid, subject, lab: identity.
        reason: why the session cannot be used; empty when it can. An unusable session has no trials.
        bin_s: bin width in seconds. Bin t covers [window_start_s + t bin_s, window_start_s + (t + 1) bin_s) around the
            alignment event of its trial.
        modalities: what is stored, by name.
        values: array of each modality: counts (K, T, N) unsigned integers; continuous (K, T, width) float32, NaN where
            unknown; categorical (K,) int8 class indices, -1 where unknown; scalar (K,) float32, NaN where unknown.
        statistics: of the training trials only. counts: `mean` and `std` (N,) of the spikes per bin; continuous: `mean`
            and `std` (width,); scalar: the same (1,); categorical: `frequency` (classes,).
        context: of each modality with values in bins, those of the C bins before the window, as in `values`; empty where
            there is no context. Models read it, and nothing is predicted there.
        context_known: of each counts modality in it, (K, C) whether it was recorded in the bin.
        components: of each modality that was reduced to principal components, what they are made of.
        units: (N rows) uuid, probe, acronym, beryl, cosmos, depth_um, channel, label, rate_hz (in the window, training
            trials).
        trials: (K rows) original_index, align_time_s (NaN when unknown), condition (index of the trial's choice x block x
            reward combination, 0 when the session has none of them, -1 for fixed windows, which are no trials), and the
            task columns that were known.
        split: (K,) index into `SPLITS`.
        n_trials_before: trials in the source before any was dropped.
        dropped: trials and units dropped, by reason, e.g. {"trials: no choice": 12, "units: rate below 2 Hz": 40}.
        settings: the stage settings that made the file.
        readings: how values were read, a line each, e.g. "choice: 1 -> left (42), -1 -> right (38)".
        remarks: what was dropped, guessed or mended in loading and cutting, a line each.
        fingerprints: (K, M) uint64 marks of each trial: first of the spikes in its window whatever the order of units, then
            of continuous behaviours with their times. 0 where something does not tell trials apart. The same trial has the
            same ones in every file.
    """

    eid: str
    subject: str
    lab: str
    bin_s: float
    window_start_s: float
    modalities: dict[str, Modality]
    reason: str = ""
    values: dict[str, np.ndarray] = field(default_factory=dict)
    statistics: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    components: dict[str, Components] = field(default_factory=dict)
    context: dict[str, np.ndarray] = field(default_factory=dict)
    context_known: dict[str, np.ndarray] = field(default_factory=dict)
    units: pd.DataFrame = field(default_factory=pd.DataFrame)
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)
    split: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    n_trials_before: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    readings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    fingerprints: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.uint64))

    @property
    def usable(self) -> bool:
        return not self.reason

    @property
    def n_trials(self) -> int:
        return len(self.split)

    @property
    def has_conditions(self) -> bool:
        """Whether averages over trials of one condition mean anything."""
        return bool((self.trials["condition"] >= 0).any())

    @property
    def n_units(self) -> int:
        return len(self.units)

    @property
    def n_bins(self) -> int:
        """T, from any modality that has bins; 0 for an unusable session."""
        return next((v.shape[1] for v in self.values.values() if v.ndim > 1), 0)

    @property
    def n_context(self) -> int:
        """C, bins of context."""
        return next((v.shape[1] for v in self.context.values()), 0)

    def trials_of(self, split: str) -> np.ndarray:
        """Indices (k,) of the trials of one split ("train", "val" or "test"), ascending."""
        return np.flatnonzero(self.split == SPLITS.index(split))


def write_aligned(path: Path, session: AlignedSession) -> None:
    with replacing(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(
            format=FORMAT,
            format_version=VERSION,
            eid=session.eid,
            subject=session.subject,
            lab=session.lab,
            reason=session.reason,
            bin_s=session.bin_s,
            window_start_s=session.window_start_s,
            n_trials_before=session.n_trials_before,
            dropped=json.dumps(session.dropped),
            settings=json.dumps(session.settings),
            readings=json.dumps(session.readings),
            remarks=json.dumps(session.remarks),
            modalities=json.dumps([m.model_dump() for m in session.modalities.values()]),
        )
        for place, arrays in (("values", session.values), ("context", session.context)):
            for name, values in arrays.items():
                chunked = (
                    {}
                    if values.ndim == 1
                    else {"chunks": (1, *values.shape[1:]), "compression": "gzip", "shuffle": True}
                )
                handle.create_dataset(f"{place}/{name}", data=values, **chunked)
        for name, known in session.context_known.items():
            handle.create_dataset(f"context_known/{name}", data=known, compression="gzip")
        for name, statistics in session.statistics.items():
            for key, value in statistics.items():
                handle.create_dataset(f"statistics/{name}/{key}", data=value)
        for name, components in session.components.items():
            for key, value in vars(components).items():
                handle.create_dataset(f"components/{name}/{key}", data=value)
        hdf5.write_table(handle, "units", session.units)
        hdf5.write_table(handle, "trials", session.trials)
        handle.create_dataset("fingerprints", data=session.fingerprints.astype(np.uint64))
        handle.create_dataset("split", data=session.split.astype(np.uint8)).attrs["names"] = list(SPLITS)


def counts_bytes(path: Path) -> int:
    """Memory that the counts of an aligned file take; nothing where the session has no trials.

    Raises:
        UserError: the file is missing, damaged, or of another format.
    """
    with hdf5.opened(path, file_format=FORMAT, version=VERSION) as handle:
        stored = (d for place in ("values", "context") for d in handle.get(place, {}).values())
        return sum(d.size * d.dtype.itemsize for d in stored if _are_counts(d))


def _are_counts(dataset: h5py.Dataset) -> bool:
    return dataset.ndim == 3 and dataset.dtype.kind == "u"


def read_aligned(path: Path, *, with_values: bool = True, counts_in_memory: bool = True) -> AlignedSession:
    """Read an aligned file.

    Args:
        with_values: without the values, which are nearly all of the file, `values` and `context` stay empty.
        counts_in_memory: otherwise counts are `StoredCounts`, read from the file when trials of them are taken.

    Raises:
        UserError: the file is missing, damaged, or of another format.
    """
    with hdf5.opened(path, file_format=FORMAT, version=VERSION) as handle:
        wanted = ("values", "context") if with_values else ()
        stored = {place: dict(handle.get(place, {})) for place in wanted}
        read = {
            f"{place}/{name}": dataset
            for place, datasets in stored.items()
            for name, dataset in datasets.items()
            if counts_in_memory or not _are_counts(dataset)
        }
        hdf5.require_memory(read, path)

        def arrays(place: str) -> dict[str, np.ndarray]:
            return {
                name: dataset[:] if f"{place}/{name}" in read else cast(np.ndarray, StoredCounts(path, dataset))
                for name, dataset in stored.get(place, {}).items()
            }

        modalities = [Modality.model_validate(entry) for entry in json.loads(handle.attrs["modalities"])]
        return AlignedSession(
            eid=handle.attrs["eid"],
            subject=handle.attrs["subject"],
            lab=handle.attrs["lab"],
            reason=handle.attrs["reason"],
            bin_s=float(handle.attrs["bin_s"]),
            window_start_s=float(handle.attrs["window_start_s"]),
            n_trials_before=int(handle.attrs["n_trials_before"]),
            dropped=json.loads(handle.attrs["dropped"]),
            settings=json.loads(handle.attrs["settings"]),
            readings=json.loads(handle.attrs.get("readings", "[]")),
            remarks=json.loads(handle.attrs.get("remarks", "[]")),
            fingerprints=handle["fingerprints"][:] if "fingerprints" in handle else np.zeros((0, 1), np.uint64),
            modalities={modality.name: modality for modality in modalities},
            values=arrays("values"),
            context=arrays("context"),
            context_known={name: known[:] for name, known in handle.get("context_known", {}).items()},
            statistics={
                name: {key: value[:] for key, value in group.items()}
                for name, group in handle.get("statistics", {}).items()
            },
            components={
                name: Components(**{key: value[:] for key, value in group.items()})
                for name, group in handle.get("components", {}).items()
            },
            units=hdf5.read_table(handle["units"]),
            trials=hdf5.read_table(handle["trials"]),
            split=handle["split"][:],
        )
