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
from neds.files.aligned import AlignedSession, read_aligned
from neds.files.atomic import replacing
from neds.files.roles import InputFile, InputFiles, OutputFile
from neds.model.checkpoint import load_network, read_checkpoint
from neds.model.network import NEDS
from neds.model.stitching import CountsReadout, CountsTokens
from neds.regions.settings import EmbeddedModelName

FORMAT, VERSION = "neds-embeddings", 1
_UNIT_COLUMNS = ("uuid", "probe", "acronym", "beryl", "cosmos")


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


def unit_embeddings(model: NEDS, sessions: list[AlignedSession]) -> Embeddings:
    """Embeddings of all units of the sessions, which must be those of the model, in its order.

    Raises:
        UserError: a session whose units are not those that the model was trained on.
    """
    units = []
    rows: dict[str, list[np.ndarray]] = {"input": [], "readout": []}
    counts = [m.name for m in model.design.modalities.values() if m.kind == "counts" and m.group == "neural"]
    maps = {"input": model.stitchers.tokens, "readout": model.stitchers.readouts}
    for index, (session, shape) in enumerate(zip(sessions, model.session_shapes, strict=True)):
        for name in counts:
            if shape.units[name] != session.n_units:
                raise UserError(
                    f"session {session.eid} has {session.n_units} units, the model was trained on {shape.units[name]}; "
                    "train it again"
                )
            units.append(_described(session, name))
            for kind, by_name in maps.items():
                if name in by_name:
                    of_units = by_name[name]
                    assert isinstance(of_units, CountsTokens | CountsReadout)
                    rows[kind].append(of_units.unit_vectors(index).detach().cpu().numpy())
    return Embeddings(
        pd.concat(units, ignore_index=True), {kind: np.concatenate(parts) for kind, parts in rows.items() if parts}
    )


def extract_embeddings(*, aligned: InputFiles, checkpoint: InputFile, output: OutputFile) -> None:
    """Write the embeddings of a checkpoint's units; without any when its training was skipped.

    Args:
        aligned: files of the sessions that it was trained on, in any order, and perhaps of others.
        checkpoint: trained model.
        output: HDF5 to write.

    Raises:
        UserError: damaged inputs, or a session of the checkpoint that is not among `aligned`.
    """
    if read_checkpoint(checkpoint, with_weights=False)[0].skipped:
        write_embeddings(output, Embeddings(pd.DataFrame({"eid": np.zeros(0, object)}), {}), {})
        return
    model, description = load_network(checkpoint)
    sessions = {session.eid: session for session in (read_aligned(path, with_values=False) for path in aligned)}
    absent = [shape.eid for shape in description.sessions if shape.eid not in sessions]
    if absent:
        raise UserError(f"{checkpoint}: was trained on {', '.join(absent)}, of which no aligned file was given")
    embeddings = unit_embeddings(model, [sessions[shape.eid] for shape in description.sessions])
    write_embeddings(output, embeddings, description.record)


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


def _described(session: AlignedSession, name: str) -> pd.DataFrame:
    known = {column: session.units[column].astype(str) if column in session.units else "" for column in _UNIT_COLUMNS}
    return pd.DataFrame(
        {"eid": session.eid, "subject": session.subject, "modality": name, "unit": np.arange(session.n_units)} | known
    )
