"""Encoding by input variable (paper: Table 1): bits per spike from all behaviours, and from each one alone."""

from collections.abc import Sequence

import pandas as pd

from neds.evaluation.summary import n_text, over_sessions, session_scores
from neds.evaluation.tables import metrics_table
from neds.figures.drawing import ModelsDrawing
from neds.figures.names import in_order, labels_of, model_title
from neds.figures.paper import N_SESSIONS, PAPER_ROWS_NOTE, PaperNumbers
from neds.files.roles import InputFile, TableStem
from neds.modalities import Modality, by_name
from neds.tables.write import MeansTable, write_table

_ALL = "all"


def encoding_inputs_table(
    metrics: pd.DataFrame, modalities: dict[str, Modality], *, models: Sequence[str], paper: PaperNumbers | None = None
) -> MeansTable:
    """A row per input, a column per model.

    Args:
        metrics: the metrics table of all evaluations.
        models: labels of the models; one without any score is left out.
        paper: numbers to add in a column of their own.
    """
    means = over_sessions(session_scores(metrics[metrics["task"] == "encoding"], each_input=True))
    means["label"] = labels_of(means)
    means = means[(means["metric"] == "bits_per_spike") & means["label"].isin(models)]
    titles = {name: modality.title for name, modality in modalities.items() if modality.group == "behaviour"}
    means["row"] = [titles.get(inputs, _ALL) for inputs in means["inputs"]]
    means["column"] = means["label"].map(model_title)
    columns = [model_title(label) for label in in_order(means["label"].unique())]
    caption = (
        f"Bits per spike (mean ± s.e.m. over {n_text(means, 'test session')}) from all inputs, and from each alone."
    )
    if paper:
        published = f"{model_title('neds-mm-finetuned')} (paper)"
        entries = [
            {"row": titles.get(name, _ALL), "column": published, "n_sessions": N_SESSIONS, **value.model_dump()}
            for name, value in paper.encoding_by_input.items()
            if name in (_ALL, *titles)
        ]
        means, columns = pd.concat([means, pd.DataFrame(entries)]), [*columns, published]
        caption += PAPER_ROWS_NOTE
    rows = [title for title in (_ALL, *titles.values()) if title in set(means["row"])]
    return MeansTable(means, rows, columns, "input", "Encoding by input variable", caption)


def tabulate_encoding_inputs(*, metrics: InputFile, settings: ModelsDrawing, output: TableStem) -> None:
    """Tabulate bits per spike from all behaviours, and from each one alone.

    Args:
        metrics: metrics table of all evaluations, CSV.
        settings: `modalities` (list of registry entries), `models` (labels of the models), `paper` (its numbers).
        output: files to write, without .csv, .md, .tex and .html.
    """
    scores, models = metrics_table([metrics]), settings.models or []
    table = encoding_inputs_table(scores, by_name(settings.modalities), models=models, paper=settings.paper)
    write_table(table, output)
