"""Bars of the models' scores (paper: Fig. 2A): mean over sessions, with the sessions as dots."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neds.evaluation.summary import (
    drawn_metrics,
    has_score,
    n_text,
    named_by_task,
    over_sessions,
    session_scores,
    unscored_note,
    untrained_note,
    with_unit_tasks,
)
from neds.evaluation.tables import metrics_table
from neds.figures.drawing import ModelsDrawing
from neds.figures.names import METRIC_TITLES, in_order, labels_of, model_family, model_title
from neds.figures.numbers import over_seeds
from neds.figures.panels import legend_below, note_above, panel_grid, panel_title
from neds.figures.paper import PAPER_NOTE, PaperNumbers
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import NOTE_COLOR, figure_style, model_style, paper_marker
from neds.files.roles import FigureStem, InputFile
from neds.modalities import Modality, by_name

_COLUMNS = ["target", "metric", "inputs", "model", "training", "eid", "n_seeds", "value", "mean", "sem", "n_sessions"]


def plot_metric_bars(
    table: pd.DataFrame, ax: Axes, *, chance: float | None = None, paper: PaperNumbers | None = None
) -> pd.DataFrame:
    """A bar per model with s.e.m. over sessions and a dot per session; references and chance as lines.

    Args:
        table: rows of the metrics table, for one target and metric.
        paper: numbers to draw beside the bars of the same models.

    Returns:
        A row per session of each model: `value` (its dot) over `n_seeds` seeds, and of the model `mean`, `sem` (standard
        error over sessions, NaN for one session), `n_sessions`, `paper_mean` and `paper_sem`.
    """
    scores = session_scores(table)
    scores = scores.merge(over_sessions(scores).drop(columns="n_seeds"))[_COLUMNS]
    labels = labels_of(scores)
    target, metric = table["target"].iloc[0], table["metric"].iloc[0]
    scores[["paper_mean", "paper_sem"]] = np.nan
    position = 0
    for label in in_order(labels.unique()):
        own, style = scores[labels == label], model_style(label)
        mean, sem = own["mean"].iloc[0], own["sem"].iloc[0]
        if style.is_reference:
            ax.axhline(mean, color=style.color, linewidth=0.9, linestyle=(0, (4, 2)), label=style.title, zorder=1)
            continue
        bar: dict[str, Any] = {"hatch": style.hatch, "edgecolor": "white", "linewidth": 0} if style.hatch else {}
        ax.bar(position, mean, width=0.78, color=style.color, label=style.title, zorder=2, **bar)
        if np.isfinite(sem):
            ax.errorbar(position, mean, yerr=sem, color="black", linewidth=0.9, capsize=2, capthick=0.9, zorder=4)
        spread = np.linspace(-0.22, 0.22, len(own)) if len(own) > 1 else np.zeros(1)
        dots: dict[str, Any] = {"s": 7, "facecolor": "white", "edgecolor": "black", "linewidth": 0.5, "zorder": 3}
        ax.scatter(position + spread, own["value"], clip_on=False, **dots)
        published = paper.score(model_family(label), target, metric) if paper else None
        if published:
            marker = paper_marker(label="paper")
            ax.errorbar(position + 0.39, published.mean, yerr=published.sem, zorder=5, clip_on=False, **marker)
            scores.loc[labels == label, ["paper_mean", "paper_sem"]] = published.mean, published.sem
        position += 1
    if chance is not None:
        ax.axhline(chance, color=NOTE_COLOR, linewidth=0.9, linestyle=(0, (1, 1.5)), label="chance", zorder=5)
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set_xlim(-0.7, max(position, 1) - 0.3)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.set_ylabel(METRIC_TITLES[metric])
    return scores


def chance_of(table: pd.DataFrame) -> float:
    """Chance of balanced accuracy: the mean over the sessions that have it of one over the classes in their test trials.

    Args:
        table: rows of the metrics table, for one target and metric.
    """
    sessions = table.dropna(subset="value").groupby("eid")["n_classes"].first()
    return float((1 / sessions.astype(float)).mean())


@figure_style()
def metrics_figure(
    metrics: pd.DataFrame,
    modalities: dict[str, Modality],
    *,
    models: Sequence[str] | None = None,
    paper: PaperNumbers | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """A panel per target with the primary metric of its kind, and what was plotted.

    Args:
        metrics: the metrics table of all evaluations.
        models: labels of the models to draw; all when omitted.
        paper: numbers to draw beside one's own, which are then plain accuracy for categorical targets.

    Raises:
        NothingToDraw: no evaluation has a score.
    """
    if models is not None:
        metrics = metrics[labels_of(metrics).isin(models)]
    metrics, modalities = named_by_task(metrics), with_unit_tasks(modalities, metrics)
    tables = {
        name: metrics[(metrics["target"] == name) & (metrics["metric"] == metric)]
        for name, metric in drawn_metrics(modalities, plain_accuracy=paper is not None).items()
    }
    asked, tables = tables, {name: table for name, table in tables.items() if has_score(table).any()}
    if not tables:
        raise NothingToDraw("No test session could be evaluated, so there are no scores to draw.")
    fig, axes = panel_grid(len(tables), panels_per_row=5, panel_height_in=1.85)
    plotted = []
    entries: dict[str, Artist] = {}
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        modality, metric = modalities[name], table["metric"].iloc[0]
        chance = chance_of(table) if metric == "balanced_accuracy" else None
        rows = plot_metric_bars(table, ax, chance=chance, paper=paper)
        panel_title(ax, modality.title, f"n = {n_text(rows, 'session')}")
        plotted.append(rows.assign(chance=np.nan if chance is None else chance))
        handles, titles = ax.get_legend_handles_labels()
        entries |= dict(zip(titles, handles, strict=True))
    scores = pd.concat(plotted, ignore_index=True)
    # Models in their own order, whichever panel has them; then chance and the paper.
    models = in_order(set(labels_of(scores)))
    titles = list(dict.fromkeys([*map(model_title, models), *entries]))
    legend_below(fig, [entries[title] for title in titles], titles)
    note = "Bars: mean over test sessions. Error bars: s.e.m. over sessions. Dots: sessions"
    note += f"{over_seeds(scores['n_seeds'].max())}."
    note += unscored_note(metrics, modalities)
    absent = [modalities[name].title for name, table in asked.items() if len(table) and name not in tables]
    note += f" No panel, as no session has a score: {', '.join(absent)}." if absent else ""
    note += untrained_note(metrics, modalities, labels_of(metrics).map(model_title))
    note_above(fig, f"{note}\n{PAPER_NOTE}" if paper else note)
    return fig, scores


def draw_metrics(*, metrics: InputFile, settings: ModelsDrawing, output: FigureStem) -> None:
    """Draw the models' scores: a panel per modality, a bar per model.

    Args:
        metrics: metrics table of all evaluations, CSV.
        settings: `modalities` (list of registry entries), `models` (labels to draw; all if absent), `paper` (its numbers).
        output: files to write, without .pdf, .png and .csv.
    """
    scores, modalities = metrics_table([metrics]), by_name(settings.modalities)
    draw(lambda: metrics_figure(scores, modalities, models=settings.models, paper=settings.paper), output)
