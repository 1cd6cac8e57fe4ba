"""A trained model on aligned data, to a file: predicted activity, predicted behaviour, or what it has learned of units."""

import logging
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pandas as pd

from neds.api.model import Model, TrialsName, load_model
from neds.api.session import load_session
from neds.errors import UserError
from neds.files import hdf5
from neds.files.aligned import SPLITS, AlignedSession
from neds.files.atomic import replacing, write_parquet
from neds.files.roles import InputFile, OutputFile
from neds.sharing.places import ModelPath
from neds.words import counted

log = logging.getLogger(__name__)

FORMAT, VERSION = "neds-model-predictions", 1
SUFFIXES = (".h5", ".parquet")


def predict_session(
    *,
    model: ModelPath,
    task: Literal["encode", "decode", "embed"],
    output: OutputFile,
    aligned: InputFile | None = None,
    given: list[str] | None = None,
    trials: TrialsName = "all",
) -> None:
    """Use a trained model: encode (behaviour to spikes), decode (spikes to behaviour) or embed (its units), to a file.

    The session is one that the model was trained on, or further trials of it with the same units. A session that is new to
    the model is fine-tuned first: neds train --pretrained, or the configuration's key `pretrained`.

    Args:
        model: best.safetensors, or a folder that neds export or neds import wrote.
        task: encode, decode or embed.
        output: file to write, .h5 or .parquet (docs/models.md says what is in them).
        aligned: aligned session file; for embed none is needed.
        given: modalities that the model sees; by default all that the task may see.
        trials: all, or those of one split: train, val, test.

    Raises:
        UserError: a session or task that does not fit the model, damaged inputs, or another suffix.
    """
    if output.suffix not in SUFFIXES:
        raise UserError(f"--output: {output}: end it on {' or '.join(SUFFIXES)}")
    found = load_model(model)
    if task == "embed":
        units = found.embeddings()
        _write_table(output, units)
        log.info("embeddings of %s", counted(len(units), "unit"))
        return
    if aligned is None:
        raise UserError(f"--aligned: name the session to {task}")
    session = load_session(aligned)
    values = (found.encode if task == "encode" else found.decode)(session, given=given, trials=trials)
    rows = np.arange(session.n_trials) if trials == "all" else session.trials_of(trials)
    if output.suffix == ".parquet":
        write_parquet(output, _by_trial(session, rows, values))
    else:
        _write_arrays(output, found, session, rows, values)
    log.info("%s of %s of session %s", ", ".join(values), counted(len(rows), "trial"), session.eid)


def _write_table(path: Path, table: pd.DataFrame) -> None:
    if path.suffix == ".parquet":
        write_parquet(path, table)
        return
    with replacing(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(format=FORMAT, format_version=VERSION)
        hdf5.write_table(handle, "units", table)


def _trials_table(session: AlignedSession, rows: np.ndarray) -> pd.DataFrame:
    """The trials: trial (index in the session), original_index (in the recording), split."""
    splits = np.array([*SPLITS, ""], dtype=object)
    return pd.DataFrame(
        {
            "trial": rows,
            "original_index": session.trials["original_index"].to_numpy()[rows],
            "split": splits[session.split[rows]],
        }
    )


def _by_trial(session: AlignedSession, rows: np.ndarray, values: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row per trial; of each modality a cell with what is predicted of it, lists within lists for bins and columns."""
    return _trials_table(session, rows).assign(**{name: list(array.tolist()) for name, array in values.items()})


def _write_arrays(
    path: Path, model: Model, session: AlignedSession, rows: np.ndarray, values: dict[str, np.ndarray]
) -> None:
    with replacing(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(format=FORMAT, format_version=VERSION, eid=session.eid)
        handle.attrs.update(bin_s=session.bin_s, window_start_s=session.window_start_s)
        hdf5.write_table(handle, "trials", _trials_table(session, rows))
        for name, array in values.items():
            dataset = handle.create_dataset(f"predicted/{name}", data=array.astype(np.float32), compression="gzip")
            modality = model.modalities[name]
            dataset.attrs.update(kind=modality.kind, unit=modality.unit, classes=modality.classes)
