"""Extraction of unit embeddings from a trained network (`neds.regions.embeddings` says what they are).

Apart from their files, because only this needs the network.
"""

import numpy as np
import pandas as pd

from neds.errors import UserError
from neds.files.aligned import AlignedSession, read_aligned
from neds.files.roles import InputFile, InputFiles, OutputFile
from neds.model.checkpoint import load_network, read_checkpoint
from neds.model.network import NEDS
from neds.model.stitching import CountsReadout, CountsTokens
from neds.regions.embeddings import Embeddings, write_embeddings

_UNIT_COLUMNS = ("uuid", "probe", "acronym", "beryl", "cosmos")


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


def _described(session: AlignedSession, name: str) -> pd.DataFrame:
    known = {column: session.units[column].astype(str) if column in session.units else "" for column in _UNIT_COLUMNS}
    return pd.DataFrame(
        {"eid": session.eid, "subject": session.subject, "modality": name, "unit": np.arange(session.n_units)} | known
    )
