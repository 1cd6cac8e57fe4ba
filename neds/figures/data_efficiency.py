"""Score against the number of a test session's trials that a model was trained or fine-tuned with."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from neds.evaluation.summary import drawn_metrics, n_text, session_scores, unscored_note, with_unit_tasks
from neds.evaluation.tables import metrics_table
from neds.figures.drawing import CurvesDrawing
from neds.figures.names import METRIC_TITLES, labels_of, model_family, model_title
from neds.figures.numbers import over_seeds
from neds.figures.panels import legend_below, note_above, panel_grid, panel_title
from neds.figures.save import NothingToDraw, draw
from neds.figures.scaling import plot_scaling, scale_amounts
from neds.figures.style import figure_style, model_style
from neds.files.roles import FigureStem, InputFile
from neds.files.tables import read_csv
from neds.modalities import Modality, by_name


@figure_style()
def data_efficiency_figure(
    metrics: pd.DataFrame,
    sessions: pd.DataFrame,
    modalities: dict[str, Modality],
    *,
    curves: Sequence[Mapping[str, str]],
) -> tuple[Figure, pd.DataFrame]:
    """A panel per target, a curve per way of training, and what was plotted.

    Args:
        metrics: the metrics table of all evaluations.
        sessions: the sessions table, for the number of training trials that each session has.
        curves: label of the model that was trained with each number of trials ("25", "50", ..., "all").

    Raises:
        NothingToDraw: none of these models has a score.
    """
    available = sessions.set_index("eid")["n_train"]
    scores, modalities = session_scores(metrics), with_unit_tasks(modalities, metrics)
    scores["label"] = labels_of(scores)
    panels = []
    for target, metric in drawn_metrics(modalities).items():
        chosen = scores[(scores["target"] == target) & (scores["metric"] == metric)]
        own = [_with_amounts(chosen, curve, available) for curve in curves]
        if any(map(len, own)):
            panels.append((target, metric, [rows for rows in own if len(rows)]))
    if not panels:
        raise NothingToDraw("No test session could be evaluated, so there are no scores to draw.")

    fig, axes = panel_grid(len(panels), panels_per_row=5, panel_height_in=1.7)
    plotted = []
    entries: dict[str, Artist] = {}
    for ax, (target, metric, drawn) in zip(axes, panels, strict=True):
        here = []
        for rows in drawn:
            family = model_family(rows["label"].iloc[0])
            here.append(plot_scaling(ax, rows, color=model_style(family).color, label=model_title(family)))
        plotted += here
        everything = pd.concat(drawn)
        scale_amounts(ax, everything.groupby("step")["amount"].mean().round())
        panel_title(ax, modalities[target].title, "n = " + n_text(pd.concat(here), "session"))
        ax.set_xlabel("training trials")
        ax.set_ylabel(METRIC_TITLES[metric])
        handles, titles = ax.get_legend_handles_labels()
        entries |= dict(zip(titles, handles, strict=True))
    legend_below(fig, list(entries.values()), list(entries))
    thin = f"sessions{over_seeds(scores['n_seeds'].max())}, each with the trials it has"
    shown = metrics[labels_of(metrics).isin({label for curve in curves for label in curve.values()})]
    note_above(fig, f"Mean over test sessions ± s.e.m.; thin lines: {thin}.{unscored_note(shown, modalities)}")
    table = pd.concat(plotted, ignore_index=True).rename(columns={"amount": "n_trials", "step": "train_trials"})
    return fig, table.drop(columns="label")


def _with_amounts(scores: pd.DataFrame, curve: Mapping[str, str], available: pd.Series) -> pd.DataFrame:
    """Scores of one curve with the number of trials (`amount`) that trained each, by number asked for (`step`)."""
    asked_for = {label: number for number, label in curve.items()}
    rows = scores[scores["label"].isin(asked_for)]
    step, amount = rows["label"].map(asked_for), rows["eid"].map(available)
    fewer = pd.to_numeric(step, errors="coerce")
    return rows.assign(step=step, amount=np.fmin(amount, fewer))


def draw_data_efficiency(
    *, metrics: InputFile, sessions: InputFile, settings: CurvesDrawing, output: FigureStem
) -> None:
    """Draw scores against the number of trials that a model was trained or fine-tuned with.

    Args:
        metrics: metrics table of all evaluations, CSV.
        sessions: sessions table, CSV.
        settings: `modalities` (list of registry entries), `curves` (lists of model labels by number of trials).
        output: files to write, without .pdf, .png and .csv.
    """
    scores, table, modalities = metrics_table([metrics]), read_csv(sessions), by_name(settings.modalities)
    draw(lambda: data_efficiency_figure(scores, table, modalities, curves=settings.curves), output)
