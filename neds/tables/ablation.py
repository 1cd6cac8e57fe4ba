"""An ablation (paper: Tables 2, 9 and 11): variants beside the unchanged model, mean and s.e.m. over test sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from neds.ablations.paper import UNCHANGED, PaperRow
from neds.errors import UserError
from neds.evaluation.summary import n_text, over_sessions, session_scores, with_unit_tasks
from neds.evaluation.tables import metrics_table
from neds.figures.drawing import AblationTable
from neds.figures.paper import N_SESSIONS, PAPER_ROWS_NOTE
from neds.files.roles import InputFile, InputFiles, TableStem
from neds.modalities import Modality, by_name
from neds.model.header import read_header
from neds.tables.benchmark import score_columns
from neds.tables.write import MeansTable, write_table

_PARAMETERS = "parameters (M)"


@dataclass(frozen=True)
class TrainedVariant:
    """A checkpoint and the way in which its model was trained ("scratch", "scratch-<variant>")."""

    checkpoint: Path
    training: str


def shared_parameters(models: Sequence[TrainedVariant]) -> dict[str, float]:
    """Number of parameters that sessions share, in millions, by training; mean over checkpoints that hold a network.

    Raises:
        UserError: a checkpoint that is missing or damaged.
    """
    numbers: dict[str, list[int]] = {}
    for model in models:
        header = read_header(model.checkpoint)
        if not header["skipped"]:
            numbers.setdefault(model.training, []).append(header["record"]["parameters"]["shared"])
    return {training: float(np.mean(found)) / 1e6 for training, found in numbers.items()}


def ablation_table(
    metrics: pd.DataFrame,
    modalities: dict[str, Modality],
    *,
    title: str,
    variants: Sequence[str],
    parameters: dict[str, float],
    paper: Sequence[PaperRow] = (),
) -> MeansTable:
    """A row for the unchanged model and one per variant; columns as in the benchmark, and the number of parameters.

    Args:
        metrics: scores of the variants and of the unchanged model, as in the metrics table.
        variants: their names, in the order of the rows; one without any score is left out.
        parameters: of `shared_parameters`.
        paper: numbers to add in rows of their own.
    """
    trainings = {"scratch": UNCHANGED} | {f"scratch-{name}": name for name in variants}
    means = over_sessions(session_scores(metrics))
    means = means[means["training"].isin(trainings)]
    means = means.assign(name=means["training"].map(trainings)).assign(row=lambda t: t["name"].map(_row_title))
    columns = score_columns(with_unit_tasks(modalities, metrics))
    found = [name for name in trainings.values() if name in set(means["name"])]
    rows = [_row_title(name) for name in found]
    n_sessions = n_text(means, "test session")
    caption = f"NEDS with one thing changed, trained from scratch: mean ± s.e.m. over {n_sessions}."
    if paper:
        published = pd.DataFrame([row.model_dump() for row in paper]).assign(n_sessions=N_SESSIONS)
        published["row"] = [f"{_row_title(name)} (paper)" for name in published["name"]]
        rows += list(dict.fromkeys(published["row"]))
        means = pd.concat([means, published])
        caption += PAPER_ROWS_NOTE
    means["column"] = [columns.get(key) for key in zip(means["target"], means["metric"], strict=True)]
    sizes = [
        {
            "row": _row_title(trainings[training]),
            "column": _PARAMETERS,
            "mean": size,
            "sem": np.nan,
            "n_sessions": np.nan,
        }
        for training, size in parameters.items()
        if trainings.get(training) in found
    ]
    entries = pd.concat([means.dropna(subset="column"), pd.DataFrame(sizes)])
    return MeansTable(entries, rows, [*columns.values(), _PARAMETERS], "model", title[0].upper() + title[1:], caption)


def _row_title(name: str) -> str:
    return name.replace("-", " ")


def tabulate_ablation(
    *, metrics: InputFile, checkpoints: InputFiles, trainings: list[str], settings: AblationTable, output: TableStem
) -> None:
    """Tabulate the variants of an ablation beside the unchanged model, mean and standard error over test sessions.

    Args:
        metrics: metrics table of all evaluations, CSV.
        checkpoints: models of the variants, for their size.
        trainings: scratch or scratch-<variant> of each checkpoint.
        settings: `modalities` (list of registry entries), `title`, `variants` (names), `paper_rows`.
        output: files to write, without .csv, .md, .tex and .html.
    """
    if len(checkpoints) != len(trainings):
        raise UserError("--trainings: name how each of --checkpoints was trained")
    models = [TrainedVariant(*model) for model in zip(checkpoints, trainings, strict=True)]
    table = ablation_table(
        metrics_table([metrics]),
        by_name(settings.modalities),
        title=settings.title,
        variants=settings.variants,
        parameters=shared_parameters(models),
        paper=settings.paper_rows,
    )
    write_table(table, output)
