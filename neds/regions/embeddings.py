"""Embeddings of units: what a trained network has learned of each unit, as two rows of its weights.

The input row is what the unit adds to a token, the readout row what its rate is read from (Zhang, Wang et al., ICML 2025,
"brain region classification"). Both have the width D of the model, so that the units of all sessions that were trained
together lie in one space. A unimodal encoder reads no spikes and has the readout row alone, as wide as all its inputs
together where it is read from their tokens side by side; a decoder has the input row alone. The input row belongs to
standardised counts: a unit's rate does not show in its length.

Shapes: N units of all sessions, D model width.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neds.errors import UserError
from neds.files import hdf5
from neds.files.atomic import replacing
from neds.regions.settings import EmbeddedModelName

FORMAT, VERSION = "neds-embeddings", 1


@dataclass(frozen=True)
class Embeddings:
    """Units and their rows.

    Attributes:
        units: (N rows) eid, subject, modality, unit (column of the session's counts), uuid, probe, acronym, beryl, cosmos;
            of the last five "" where the session does not know them.
        rows: by "input" and "readout" (N, D) float32; a kind of row that the model has not is absent.
    """

    units: pd.DataFrame
    rows: dict[str, np.ndarray]

    @property
    def features(self) -> np.ndarray:
        """The rows of each unit side by side, (N, D) or (N, 2 D)."""
        return np.concatenate(list(self.rows.values()), axis=1) if self.rows else np.zeros((len(self.units), 0))


@dataclass(frozen=True)
class EmbeddedModel:
    """A file of embeddings and the model it is of. `space` is "joint" for a model of several sessions, else "session"."""

    path: Path
    model: str
    training: str
    seed: int
    space: str

    @property
    def identity(self) -> dict[str, object]:
        return {"model": self.model, "training": self.training, "seed": self.seed}


def embedded_models(paths: Sequence[Path], names: Sequence[EmbeddedModelName]) -> list[EmbeddedModel]:
    """Files of embeddings with the models that they are of.

    Raises:
        UserError: not one description per file.
    """
    if len(paths) != len(names):
        raise UserError("--settings, models: describe each file of --embeddings")
    return [EmbeddedModel(path, **name.model_dump()) for path, name in zip(paths, names, strict=True)]


def write_embeddings(path: Path, embeddings: Embeddings, record: dict) -> None:
    """Write a file of embeddings (docs/regions_and_ablations.md); `record` says how the model came about."""
    with replacing(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(format=FORMAT, format_version=VERSION, record=json.dumps(record))
        hdf5.write_table(handle, "units", embeddings.units)
        for kind, values in embeddings.rows.items():
            handle.create_dataset(f"rows/{kind}", data=values.astype(np.float32))


def read_embeddings(path: Path) -> Embeddings:
    """Read a file of embeddings.

    Raises:
        UserError: the file is missing, damaged, or of another format.
    """
    with hdf5.opened(path, file_format=FORMAT, version=VERSION) as handle:
        rows = {kind: handle["rows"][kind][:] for kind in ("input", "readout") if kind in handle.get("rows", {})}
        return Embeddings(hdf5.read_table(handle["units"]), rows)
