"""Scores beside the primary ones: those that other benchmarks use, calibration, and shares of the oracles."""

from collections.abc import Sequence

import pandas as pd

from neds.baselines.registry import SAID, shown_baselines
from neds.evaluation.calibration import LARGEST_SLOPE_ERROR
from neds.evaluation.summary import (
    n_text,
    over_sessions,
    session_scores,
    shares,
    unit_tasks_note,
    unscored_note,
    with_unit_tasks,
)
from neds.evaluation.tables import metrics_table
from neds.figures.drawing import ModelsDrawing
from neds.figures.names import METRIC_TITLES, in_order, labels_of, model_title
from neds.files.roles import InputFile, TableStem
from neds.modalities import Kind, Modality, by_name
from neds.tables.write import MeansTable, empty_cells_note, write_table

_FURTHER: dict[Kind, tuple[str, ...]] = {
    "counts": ("bits_per_spike_pooled", "poisson_d2", "calibration_slope"),
    "categorical": ("calibration_error",),
}
_CAPTION = (
    "Bits per spike pooled over spikes are those of the Neural Latents Benchmark and BrainWideBench, Poisson D² that of "
    "BrainWideBench. Calibration slope: of counts over predicted rates, 1 is calibrated, below 1 overconfident; a session "
    f"has none where rates vary so little that its standard error is above {LARGEST_SLOPE_ERROR:g}. Calibration "
    "error: expected calibration error (ECE) of class probabilities, 0 is calibrated; chance alone leaves some hundredths."
)
_SHARES = " Shares are of the bits per spike (mean over units) of an oracle in the same session."


def further_scores_table(
    metrics: pd.DataFrame, modalities: dict[str, Modality], *, models: Sequence[str]
) -> MeansTable:
    """A row per model, a column per target and further metric, and per oracle that was scored.

    Args:
        metrics: the metrics table of all evaluations.
        models: labels of the models; one without any of these scores is left out.
    """
    scores, modalities = session_scores(metrics), with_unit_tasks(modalities, metrics)
    oracles = [
        one.name for one in shown_baselines(SAID).values() if one.is_reference and one.name in set(scores["model"])
    ]
    means = over_sessions(pd.concat([scores, *(shares(scores, of=name) for name in oracles)]))
    titles: dict[tuple[str, str], str] = {}
    for name, modality in modalities.items():
        titles |= {(name, metric): METRIC_TITLES[metric] for metric in _FURTHER.get(modality.kind, ())}
        if modality.kind == "counts":
            titles |= {(name, f"share_of_{oracle}"): f"share of {model_title(oracle)}" for oracle in oracles}
    columns = {key: f"{modalities[key[0]].title}: {title}" for key, title in titles.items()}
    means["label"] = labels_of(means)
    means["column"] = [columns.get(key) for key in zip(means["target"], means["metric"], strict=True)]
    means = means[means["label"].isin(models)].dropna(subset="column")
    means["row"] = means["label"].map(model_title)
    rows = list(dict.fromkeys(model_title(label) for label in in_order(means["label"].unique())))
    found = [column for column in columns.values() if column in set(means["column"])]
    caption = f"Mean ± s.e.m. over {n_text(means, 'test session')}. {_CAPTION}" + (_SHARES if oracles else "")
    caption += unit_tasks_note(modalities)
    caption += unscored_note(metrics[labels_of(metrics).isin(models)], modalities)
    caption += empty_cells_note(means, rows, found)
    return MeansTable(means, rows, found, "model", "Further scores of all models", caption)


def tabulate_further_scores(*, metrics: InputFile, settings: ModelsDrawing, output: TableStem) -> None:
    """Tabulate the scores that other benchmarks use, calibration, and shares of the oracles.

    Args:
        metrics: metrics table of all evaluations, CSV.
        settings: `modalities` (list of registry entries), `models` (labels of the models).
        output: files to write, without .csv, .md, .tex and .html.
    """
    scores, models = metrics_table([metrics]), settings.models or []
    write_table(further_scores_table(scores, by_name(settings.modalities), models=models), output)
