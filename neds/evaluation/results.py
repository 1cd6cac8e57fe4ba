"""What every model's evaluation leaves behind, baselines included: metrics, scores of units, and predictions."""

import logging
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neds.evaluation.score import all_scores, unit_scores
from neds.evaluation.tasks import Task
from neds.files import hdf5
from neds.files.aligned import AlignedSession
from neds.files.atomic import replacing, write_csv, write_parquet

log = logging.getLogger(__name__)

FORMAT, VERSION = "neds-predictions", 1
METRIC_COLUMNS = [
    *("eid", "subject", "model", "training", "seed", "task", "inputs"),
    *("target", "metric", "value", "n_test_trials", "n_scored", "n_classes"),
]
_UNIT_COLUMNS = ("uuid", "probe", "acronym", "beryl", "cosmos")


@dataclass(frozen=True)
class Identity:
    """Which model made a prediction: e.g. neds-mm, finetuned, seed 0. `training` is empty for a baseline."""

    model: str
    training: str
    seed: int


@dataclass(frozen=True)
class Predicted:
    """Predictions of a task's targets for all test trials, arrays as in `neds.evaluation.score`."""

    task: Task
    values: dict[str, np.ndarray]


@dataclass(frozen=True)
class EvaluationFiles:
    """Where an evaluation is written: CSV with a row per score, Parquet with a row per unit, HDF5 with predictions."""

    metrics: Path
    units: Path
    predictions: Path


def write_evaluation(
    session: AlignedSession, identity: Identity, predicted: list[Predicted], files: EvaluationFiles
) -> None:
    """Score the predictions on the session's test trials and write the three files.

    A score that is not defined has its row all the same, without a value; `n_scored` and `n_classes` are those of
    `neds.evaluation.score.Score`.

    Of encoding tasks only the first, with all inputs, keeps its predicted rates.
    """
    trials = session.trials_of("test")
    rows, unit_tables = [], []
    for item in predicted:
        known = {"eid": session.eid, "subject": session.subject, "model": identity.model} | {
            "training": identity.training,
            "seed": identity.seed,
            "task": item.task.name,
            "inputs": item.task.inputs,
        }
        for target, values in item.values.items():
            is_counts = session.modalities[target].kind == "counts"
            units = unit_scores(session, target, values, trials) if is_counts else None
            for metric, found in all_scores(session, target, values, trials, units=units).items():
                numbers = {"n_test_trials": len(trials), **vars(found)}
                rows.append(known | {"target": target, "metric": metric} | numbers)
            if units is not None:
                unit_tables.append(_unit_table(session, units, known | {"target": target}))
    table = pd.DataFrame(rows, columns=METRIC_COLUMNS)
    for target, own in table[table["value"].isna()].groupby("target", sort=False):
        log.warning(
            "session %s, %s: not defined on its test trials: %s", session.eid, target, ", ".join(own["metric"].unique())
        )
    write_csv(files.metrics, table.astype({"n_classes": "Int64"}))
    write_parquet(files.units, pd.concat(unit_tables) if unit_tables else pd.DataFrame({"eid": []}))
    _write_predictions(files.predictions, session.eid, trials, predicted)


def read_predictions(path: Path) -> tuple[np.ndarray, dict[tuple[str, str], np.ndarray]]:
    """The test trials (k,) and, by (task, target), the predictions that an evaluation kept; both empty if it had none.

    Raises:
        UserError: the file is missing, damaged, or of another format.
    """
    with hdf5.opened(path, file_format=FORMAT, version=VERSION) as handle:
        arrays = {
            (task, target): handle[task][target][:]
            for task in ("encoding", "decoding")
            for target in handle.get(task, {})
        }
        return handle["trials"][:], arrays


def read_predicted(path: Path) -> tuple[np.ndarray, list[Predicted]]:
    """As `read_predictions`, by task with what it observed.

    Raises:
        UserError: as `read_predictions`.
    """
    with hdf5.opened(path, file_format=FORMAT, version=VERSION) as handle:
        predicted = []
        for name in ("encoding", "decoding"):
            arrays = {target: dataset[:] for target, dataset in handle.get(name, {}).items()}
            if arrays:
                observed = handle[name][next(iter(arrays))].attrs["inputs"].split("+")
                predicted.append(Predicted(Task(name, tuple(observed), tuple(arrays)), arrays))
        return handle["trials"][:], predicted


def _unit_table(session: AlignedSession, table: pd.DataFrame, known: dict[str, object]) -> pd.DataFrame:
    """The scores of units, with what is known of them and of their prediction."""
    columns = [c for c in _UNIT_COLUMNS if c in session.units and len(session.units) == len(table)]
    described = session.units[columns].reset_index(drop=True)
    identity = pd.DataFrame([known] * len(table))
    return pd.concat([identity, pd.Series(range(len(table)), name="unit"), described, table], axis=1)


def _write_predictions(path: Path, eid: str, trials: np.ndarray, predicted: list[Predicted]) -> None:
    with replacing(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(format=FORMAT, format_version=VERSION, eid=eid)
        handle.create_dataset("trials", data=trials)
        for item in predicted:
            for target, values in item.values.items():
                name = f"{item.task.name}/{target}"
                if name not in handle:
                    dataset = handle.create_dataset(name, data=values.astype(np.float32), compression="gzip")
                    dataset.attrs["inputs"] = item.task.inputs
