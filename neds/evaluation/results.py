"""What every model's evaluation leaves behind, baselines included: metrics, scores of units, and predictions."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neds.evaluation.score import all_scores, unit_scores
from neds.evaluation.settings import UNIT_TASKS
from neds.evaluation.tasks import Task
from neds.evaluation.unit_tasks import scored_part
from neds.files import hdf5
from neds.files.aligned import AlignedSession
from neds.files.atomic import replacing, write_csv, write_parquet

log = logging.getLogger(__name__)

FORMAT, VERSION = "neds-predictions", 1
METRIC_COLUMNS = [
    *("eid", "subject", "model", "training", "seed", "task", "trained_for", "inputs"),
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
    """Predictions of a task's targets for all test trials, arrays as in `neds.evaluation.score`.

    Attributes:
        trained_for: whether the model was trained for the task.
    """

    task: Task
    values: dict[str, np.ndarray]
    trained_for: bool = True


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
        scored = scored_part(session, item.task)
        known = {"eid": session.eid, "subject": session.subject, "model": identity.model} | {
            "training": identity.training,
            "seed": identity.seed,
            "task": item.task.name,
            "trained_for": item.trained_for,
            "inputs": item.task.inputs,
        }
        for target, values in item.values.items():
            is_counts = session.modalities[target].kind == "counts"
            units = unit_scores(scored, target, values, trials) if is_counts else None
            for metric, found in all_scores(scored, target, values, trials, units=units).items():
                numbers = {"n_test_trials": len(trials), **vars(found)}
                rows.append(known | {"target": target, "metric": metric} | numbers)
            if units is not None:
                rows_of_units = item.task.held_out or range(len(units))
                unit_tables.append(_unit_table(scored, units, known | {"target": target}, rows_of_units))
    table = pd.DataFrame(rows, columns=METRIC_COLUMNS)
    for target, own in table[table["value"].isna()].groupby("target", sort=False):
        log.warning(
            "session %s, %s: not defined on its test trials: %s", session.eid, target, ", ".join(own["metric"].unique())
        )
    write_csv(files.metrics, table.astype({"n_classes": "Int64"}))
    write_parquet(files.units, pd.concat(unit_tables) if unit_tables else pd.DataFrame({"eid": []}))
    _write_predictions(files.predictions, session, trials, predicted)


def read_predictions(path: Path) -> tuple[np.ndarray, dict[tuple[str, str], np.ndarray]]:
    """The test trials (k,) and, by (task, target), the predictions that an evaluation kept of encoding and decoding; both
    empty if it had none.

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


@dataclass(frozen=True)
class UnitPrediction:
    """The rates that co-smoothing or forecasting predicted in the test trials.

    Attributes:
        trials: (k,) indices in the session.
        rates: (k, bins, units) expected spikes per bin.
        bins: (bins,) of the window.
        units: (units,) rows of the unit table.
    """

    trials: np.ndarray
    rates: np.ndarray
    bins: np.ndarray
    units: np.ndarray


def read_unit_predictions(path: Path) -> dict[tuple[str, str], UnitPrediction]:
    """By (task, target), the predictions of co-smoothing and forecasting that an evaluation kept.

    Raises:
        UserError: the file is missing, damaged, or of another format.
    """
    with hdf5.opened(path, file_format=FORMAT, version=VERSION) as handle:
        return {
            (task, target): UnitPrediction(handle["trials"][:], group["rates"][:], group["bins"][:], group["units"][:])
            for task in UNIT_TASKS
            for target, group in handle.get(task, {}).items()
        }


def read_predicted(path: Path) -> tuple[np.ndarray, list[Predicted]]:
    """As `read_predictions`, by task with what it observed; and those of co-smoothing and forecasting.

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
        for name in filter(handle.get, UNIT_TASKS):
            groups = dict(handle[name])
            first = next(iter(groups.values()))
            is_forecast = UNIT_TASKS[name] == "forecasting"
            task = Task(
                name,
                observed=tuple(first.attrs["inputs"].split("+")),
                targets=tuple(groups),
                held_out=() if is_forecast else tuple(first["units"][:].tolist()),
                last_bins=len(first["bins"]) if is_forecast else 0,
            )
            rates = {target: group["rates"][:] for target, group in groups.items()}
            predicted.append(Predicted(task, rates, trained_for=bool(first.attrs["trained_for"])))
        return handle["trials"][:], predicted


def _unit_table(
    session: AlignedSession, table: pd.DataFrame, known: dict[str, object], rows: Sequence[int]
) -> pd.DataFrame:
    """The scores of units, with what is known of them and of their prediction, and their rows in the unit table."""
    columns = [c for c in _UNIT_COLUMNS if c in session.units and len(session.units) == len(table)]
    described = session.units[columns].reset_index(drop=True)
    identity = pd.DataFrame([known] * len(table))
    return pd.concat([identity, pd.Series(rows, name="unit"), described, table], axis=1)


def _write_predictions(path: Path, session: AlignedSession, trials: np.ndarray, predicted: list[Predicted]) -> None:
    compressed = {"compression": "gzip", "shuffle": True}
    with replacing(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(format=FORMAT, format_version=VERSION, eid=session.eid)
        handle.create_dataset("trials", data=trials)
        for item in predicted:
            for target, values in item.values.items():
                name = f"{item.task.name}/{target}"
                if item.task.name in UNIT_TASKS:
                    group = handle.create_group(name)
                    group.attrs.update(inputs=item.task.inputs, trained_for=item.trained_for)
                    group.create_dataset("rates", data=values.astype(np.float32), **compressed)
                    group.create_dataset("bins", data=np.arange(session.n_bins - values.shape[1], session.n_bins))
                    group.create_dataset("units", data=np.array(item.task.held_out or range(values.shape[2])))
                elif name not in handle:
                    dataset = handle.create_dataset(name, data=values.astype(np.float32), **compressed)
                    dataset.attrs["inputs"] = item.task.inputs
