"""Every model less one of them, paired by session: mean difference, its standard error, and its test."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neds.evaluation.paired import compare, paired_note
from neds.evaluation.score import PRIMARY_METRIC
from neds.evaluation.summary import n_text, session_scores, unit_tasks_note, with_unit_tasks
from neds.evaluation.tables import metrics_table
from neds.figures.drawing import DifferencesDrawing
from neds.figures.names import METRIC_TITLES, in_order, labels_of, model_title
from neds.files.roles import InputFile, TableStem
from neds.modalities import Modality, by_name
from neds.tables.write import MeansTable, write_table

_COLUMNS = ["row", "column", "mean", "sem", "n_sessions"]


def differences_table(
    metrics: pd.DataFrame, modalities: dict[str, Modality], *, models: Sequence[str], references: Sequence[str]
) -> MeansTable:
    """A row per model; for each target the difference in its primary metric, and its p where it can be tested.

    Args:
        metrics: the metrics table of all evaluations.
        models: labels of the models; one without any session in common with the reference is left out.
        references: labels of what is subtracted, of each target the first that has it.
    """
    scores, modalities = session_scores(metrics), with_unit_tasks(modalities, metrics)
    scores = scores.assign(label=labels_of(scores))
    entries: list[dict[str, Any]] = []
    columns, subtracted = [], {}
    for target, modality in modalities.items():
        own = scores[(scores["target"] == target) & (scores["metric"] == PRIMARY_METRIC[modality.kind])]
        by_model = own.pivot(index="eid", columns="label", values="value")
        reference = next((label for label in references if label in by_model), None)
        if reference is None:
            continue
        title = f"{modality.title}: {METRIC_TITLES[PRIMARY_METRIC[modality.kind]]}"
        found = list(_entries(by_model, [label for label in models if label in by_model], reference, title))
        entries += found
        columns += [column for column in (title, f"{title}, p") if any(entry["column"] == column for entry in found)]
        subtracted[reference] = model_title(reference)
    table = pd.DataFrame(entries, columns=["label", *_COLUMNS])
    rows = dict.fromkeys(model_title(label) for label in in_order(table["label"].unique()))
    most = int(table["n_sessions"].max()) if len(table) else 0
    caption = (
        f"Score of each model less that of {' or '.join(dict.fromkeys(subtracted.values()))}, in the same sessions: "
        f"mean ± s.e.m. over {n_text(table, 'test session')}. {paired_note(most)}{unit_tasks_note(modalities)}"
    )
    return MeansTable(table[_COLUMNS], list(rows), columns, "model", "Differences between models", caption)


def _entries(by_model: pd.DataFrame, models: list[str], reference: str, title: str) -> Iterator[dict[str, Any]]:
    for label in models:
        both = by_model[[label, reference]].dropna() if label != reference else by_model[[]].iloc[:0]
        if not len(both):
            continue
        difference = compare(both[label].to_numpy(), both[reference].to_numpy())
        known = {"label": label, "row": model_title(label), "n_sessions": difference.n_sessions}
        yield known | {"column": title, "mean": difference.difference, "sem": difference.difference_sem}
        if np.isfinite(difference.wilcoxon_p):
            yield known | {"column": f"{title}, p", "mean": difference.wilcoxon_p, "sem": np.nan}


def tabulate_differences(*, metrics: InputFile, settings: DifferencesDrawing, output: TableStem) -> None:
    """Tabulate every model's scores less those of one of them, paired by session, with their test.

    Args:
        metrics: metrics table of all evaluations, CSV.
        settings: `modalities` (list of registry entries), `models`, `references` (labels).
        output: files to write, without .csv, .md, .tex and .html.
    """
    modalities = by_name(settings.modalities)
    scores = metrics_table([metrics])
    write_table(differences_table(scores, modalities, models=settings.models, references=settings.references), output)
