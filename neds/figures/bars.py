"""Bars of the models' scores: mean over sessions, with the sessions as dots."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neds.evaluation.score import PRIMARY_METRIC
from neds.figures.save import NothingToDraw
from neds.figures.style import (
    METRIC_TITLES,
    NOTE_COLOR,
    WIDTH_IN,
    figure_style,
    in_order,
    legend_columns,
    model_label,
    model_style,
)
from neds.modalities import Modality

_PANELS_PER_ROW = 5
_COLUMNS = ["target", "metric", "inputs", "model", "training", "eid", "n_seeds", "value", "mean", "sem", "n_sessions"]


def session_scores(rows: pd.DataFrame) -> pd.DataFrame:
    """Scores of one target and metric as they are plotted: seeds averaged within a session, then sessions summarised.

    Of a model's encoding tasks only the one with all its inputs counts. Unknown scores are left out.

    Args:
        rows: of the metrics table, for one target and metric.

    Returns:
        A row per session of each model: `value` (its dot) over `n_seeds` seeds, and of the model `mean`, `sem` (standard
        error over sessions, NaN for one session) and `n_sessions`.
    """
    rows = rows.assign(training=rows["training"].fillna("")).dropna(subset="value")
    n_inputs = rows["inputs"].str.count(r"\+")
    rows = rows[n_inputs == n_inputs.groupby([rows["model"], rows["training"]]).transform("max")]
    known = ["target", "metric", "inputs", "model", "training"]
    sessions = rows.groupby([*known, "eid"], as_index=False).agg(n_seeds=("seed", "nunique"), value=("value", "mean"))
    by_model = sessions.groupby(["model", "training"])["value"]
    return sessions.assign(
        mean=by_model.transform("mean"), sem=by_model.transform("sem"), n_sessions=by_model.transform("size")
    )[_COLUMNS]


def plot_metric_bars(table: pd.DataFrame, ax: Axes, *, chance: float | None = None) -> pd.DataFrame:
    """A bar per model with s.e.m. over sessions and a dot per session; references and chance as lines.

    Args:
        table: rows of the metrics table, for one target and metric.

    Returns:
        What was plotted, as `session_scores` describes.
    """
    scores = session_scores(table)
    labels = scores["model"].combine(scores["training"], model_label)
    position = 0
    for label in in_order(labels.unique()):
        own, style = scores[labels == label], model_style(label)
        mean, sem = own["mean"].iloc[0], own["sem"].iloc[0]
        if style.is_reference:
            ax.axhline(mean, color=style.color, linewidth=0.9, linestyle=(0, (4, 2)), label=style.title, zorder=1)
            continue
        ax.bar(position, mean, width=0.78, color=style.color, label=style.title, zorder=2)
        if np.isfinite(sem):
            ax.errorbar(position, mean, yerr=sem, color="black", linewidth=0.9, capsize=2, capthick=0.9, zorder=4)
        spread = np.linspace(-0.22, 0.22, len(own)) if len(own) > 1 else np.zeros(1)
        ax.scatter(
            position + spread,
            own["value"],
            s=7,
            facecolor="white",
            edgecolor="black",
            linewidth=0.5,
            zorder=3,
            clip_on=False,
        )
        position += 1
    if chance is not None:
        ax.axhline(chance, color=NOTE_COLOR, linewidth=0.9, linestyle=(0, (1, 1.5)), label="chance", zorder=5)
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set_xlim(-0.7, max(position, 1) - 0.3)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.set_ylabel(METRIC_TITLES[table["metric"].iloc[0]])
    return scores


@figure_style()
def metrics_figure(metrics: pd.DataFrame, modalities: dict[str, Modality]) -> tuple[Figure, pd.DataFrame]:
    """A panel per target with the primary metric of its kind, and what was plotted.

    Models that were trained with fewer trials than there are belong to another figure and are left out.

    Args:
        metrics: the metrics table of all evaluations.

    Raises:
        NothingToDraw: no evaluation has a score.
    """
    metrics = metrics[~metrics["training"].fillna("").astype(str).str.endswith("trials")]
    tables = {
        name: metrics[(metrics["target"] == name) & (metrics["metric"] == PRIMARY_METRIC[modality.kind])]
        for name, modality in modalities.items()
    }
    tables = {name: table for name, table in tables.items() if table["value"].notna().any()}
    if not tables:
        raise NothingToDraw("No test session could be evaluated, so there are no scores to draw.")
    n_columns = min(len(tables), _PANELS_PER_ROW)
    n_rows = -(-len(tables) // n_columns)
    width_in = min(WIDTH_IN, max(3.5, 1.6 * n_columns))
    fig = Figure(figsize=(width_in, 1.85 * n_rows + 0.75), layout="constrained")
    axes = fig.subplots(n_rows, n_columns, squeeze=False).ravel()
    plotted, entries = [], {}
    for ax, (name, table) in zip(axes, tables.items(), strict=False):
        modality = modalities[name]
        chance = 1 / len(modality.classes) if modality.kind == "categorical" else None
        scores = plot_metric_bars(table, ax, chance=chance)
        ax.set_title(f"{textwrap.fill(modality.title, 22)}\n{_sample_size(scores)}", fontsize=7)
        plotted.append(scores.assign(chance=np.nan if chance is None else chance))
        handles, titles = ax.get_legend_handles_labels()
        entries |= dict(zip(titles, handles, strict=True))
    for ax in axes[len(tables) :]:
        ax.remove()
    # Lines (references, chance) come after the bars, whichever panel has them.
    titles = sorted(entries, key=lambda title: isinstance(entries[title], Line2D))
    fig.legend(
        [entries[title] for title in titles],
        titles,
        loc="outside lower center",
        ncols=legend_columns(titles, width_in),
        columnspacing=1.5,
    )
    fig.suptitle(
        "Bars: mean over test sessions. Error bars: s.e.m. over sessions. Dots: sessions (mean over seeds).",
        color=NOTE_COLOR,
    )
    return fig, pd.concat(plotted, ignore_index=True)


def _sample_size(scores: pd.DataFrame) -> str:
    least, most = scores["n_sessions"].min(), scores["n_sessions"].max()
    number = str(most) if least == most else f"{least} to {most}"
    return f"n = {number} session{'s' if most > 1 else ''}"
