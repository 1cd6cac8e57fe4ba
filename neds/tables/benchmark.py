"""The benchmark (paper: Table 10): every model's scores, mean and standard error over test sessions."""

from collections.abc import Sequence

import pandas as pd

from neds.evaluation.score import PRIMARY_METRIC
from neds.evaluation.summary import (
    n_text,
    over_sessions,
    session_scores,
    unit_tasks_note,
    unscored_note,
    untrained_note,
    with_unit_tasks,
)
from neds.evaluation.tables import metrics_table
from neds.figures.drawing import ModelsDrawing
from neds.figures.names import METRIC_TITLES, in_order, labels_of, model_title
from neds.figures.paper import N_SESSIONS, PAPER_ROWS_NOTE, PaperNumbers
from neds.files.roles import InputFile, TableStem
from neds.modalities import Modality, by_name
from neds.tables.write import MeansTable, empty_cells_note, write_table


def score_columns(modalities: dict[str, Modality]) -> dict[tuple[str, str], str]:
    """Title of each column of scores by (target, metric); categorical targets have accuracy and balanced accuracy."""
    columns = {}
    for name, modality in modalities.items():
        extra = ["accuracy"] if modality.kind == "categorical" else []
        for metric in [*extra, PRIMARY_METRIC[modality.kind]]:
            columns[name, metric] = f"{modality.title}: {METRIC_TITLES[metric]}"
    return columns


def benchmark_table(
    metrics: pd.DataFrame, modalities: dict[str, Modality], *, models: Sequence[str], paper: PaperNumbers | None = None
) -> MeansTable:
    """A row per model, a column per target and metric.

    Args:
        metrics: the metrics table of all evaluations.
        models: labels of the models; one without any score is left out.
        paper: numbers to add in rows of their own.
    """
    modalities = with_unit_tasks(modalities, metrics)
    columns = score_columns(modalities)
    means = over_sessions(session_scores(metrics))
    means["label"] = labels_of(means)
    means = means[means["label"].isin(models)].assign(row=lambda t: t["label"].map(model_title))
    rows = [model_title(label) for label in in_order(means["label"].unique())]
    caption = f"Mean ± s.e.m. over {n_text(means, 'test session')}.{unit_tasks_note(modalities)}"
    shown = metrics[labels_of(metrics).isin(models)]
    caption += unscored_note(shown, modalities)
    caption += untrained_note(shown, modalities, labels_of(shown).map(model_title))
    if paper:
        published = pd.DataFrame([score.model_dump() for score in paper.scores]).assign(n_sessions=N_SESSIONS)
        published["row"] = [f"{model_title(label)} (paper)" for label in published["label"]]
        rows += [f"{model_title(label)} (paper)" for label in in_order(published["label"].unique())]
        means = pd.concat([means, published])
        caption += PAPER_ROWS_NOTE
    means["column"] = [columns.get(key) for key in zip(means["target"], means["metric"], strict=True)]
    means, rows = means.dropna(subset="column"), list(dict.fromkeys(rows))
    caption += empty_cells_note(means, rows, list(columns.values()))
    return MeansTable(means, rows, list(columns.values()), "model", "Scores of all models", caption)


def tabulate_benchmark(*, metrics: InputFile, settings: ModelsDrawing, output: TableStem) -> None:
    """Tabulate every model's scores, mean and standard error over test sessions.

    Args:
        metrics: metrics table of all evaluations, CSV.
        settings: `modalities` (list of registry entries), `models` (labels of the models), `paper` (its numbers).
        output: files to write, without .csv, .md, .tex and .html.
    """
    scores, models = metrics_table([metrics]), settings.models or []
    table = benchmark_table(scores, by_name(settings.modalities), models=models, paper=settings.paper)
    write_table(table, output)
