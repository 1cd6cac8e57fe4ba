"""Learning curves: training loss and validation scores of each run, by epoch."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neds.errors import UserError
from neds.evaluation.score import SELECTION_METRIC
from neds.figures.drawing import Drawing
from neds.figures.names import METRIC_TITLES, in_order, model_family
from neds.figures.numbers import over_seeds
from neds.figures.panels import legend_below, note_above, panel_grid, panel_title
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import LINE_STYLES, LineStyle, figure_style, model_style
from neds.files.roles import FigureStem, InputFiles
from neds.files.tables import read_csv
from neds.modalities import Modality, by_name


@dataclass(frozen=True)
class TrainingLog:
    """One training and its log: a row per validation with `epoch`, `seconds`, `loss` and `val_...`; none if it was skipped.

    Attributes:
        label: the model, without its seed.
        eid: session that was trained on; "-" for a pretraining set.
    """

    label: str
    eid: str
    seed: int
    log: pd.DataFrame


def plot_learning(
    ax: Axes, table: pd.DataFrame, *, color: str, label: str, line_style: LineStyle = "-"
) -> pd.DataFrame:
    """A thin line per session and the mean over sessions, at the epochs that all of them reached.

    Args:
        table: columns eid, epoch, value; seeds averaged.

    Returns:
        The table with `mean` and `n_sessions` of its epoch; `mean` is NaN where a session has stopped.
    """
    n_sessions = table["eid"].nunique()
    if n_sessions > 1:
        for _, own in table.groupby("eid"):
            ax.plot(own["epoch"], own["value"], color=color, linewidth=0.4, alpha=0.45, zorder=1)
    by_epoch = table.groupby("epoch").agg(mean=("value", "mean"), n_sessions=("eid", "nunique"))
    by_epoch["mean"] = by_epoch["mean"].where(by_epoch["n_sessions"] == n_sessions)
    ax.plot(by_epoch.index, by_epoch["mean"], color=color, linestyle=line_style, linewidth=1.4, label=label, zorder=2)
    return table.merge(by_epoch, left_on="epoch", right_index=True)


@figure_style()
def learning_figure(runs: Sequence[TrainingLog], modalities: dict[str, Modality]) -> tuple[Figure, pd.DataFrame]:
    """Panels of the training loss, the mean validation score by which the best weights are chosen, and its parts.

    The runs should be of one mode: loss and mean score of models with different outputs do not compare.

    Raises:
        NothingToDraw: every training was skipped.
    """
    logs = [run.log.assign(label=run.label, eid=run.eid, seed=run.seed) for run in runs if len(run.log)]
    if not logs:
        raise NothingToDraw("Every training was skipped, because no session could be used.")
    table = pd.concat(logs, ignore_index=True)
    columns = {"loss": ("training loss", "loss"), "val_score": ("validation score", "mean of the scores")}
    for name, modality in modalities.items():
        metric = SELECTION_METRIC[modality.kind]
        columns[f"val_{name}_{metric}"] = (modality.title, METRIC_TITLES[metric])
    columns = {column: titles for column, titles in columns.items() if column in table and table[column].notna().any()}
    labels = in_order(table["label"].unique())
    families = [model_family(label) for label in labels]
    line_styles = {
        label: LINE_STYLES[families[:place].count(families[place]) % len(LINE_STYLES)]
        for place, label in enumerate(labels)
    }

    fig, axes = panel_grid(len(columns), panels_per_row=4, panel_height_in=1.5)
    plotted = []
    entries: dict[str, Artist] = {}
    for ax, (column, (title, axis_title)) in zip(axes, columns.items(), strict=True):
        for label in labels:
            own = table[(table["label"] == label) & table[column].notna()]
            if own.empty:
                continue
            by_session = own.groupby(["eid", "epoch"], as_index=False).agg(value=(column, "mean"))
            style, line_style = model_style(label), line_styles[label]
            drawn = plot_learning(ax, by_session, color=style.color, label=style.title, line_style=line_style)
            plotted.append(drawn.assign(panel=column, label=label))
        panel_title(ax, title, width=28)
        ax.set_ylabel(textwrap.fill(axis_title, 18))
        ax.set_xlabel("epoch")
        handles, titles = ax.get_legend_handles_labels()
        entries |= dict(zip(titles, handles, strict=True))
    legend_below(fig, list(entries.values()), list(entries))
    note_above(fig, _note(table))
    plotted = pd.concat(plotted, ignore_index=True)
    return fig, plotted[["panel", "label", "eid", "epoch", "value", "mean", "n_sessions"]]


def _note(table: pd.DataFrame) -> str:
    n_sessions, n_seeds = table["eid"].nunique(), table["seed"].nunique()
    note = f"Mean over {n_seeds} seeds." if n_seeds > 1 else "One seed."
    if n_sessions > 1:
        note = f"Mean over {n_sessions} test sessions; thin lines: sessions{over_seeds(n_seeds)}."
    minutes = table.groupby(["label", "eid", "seed"])["seconds"].max() / 60
    times = f"{minutes.min():.2g} to {minutes.max():.2g}" if len(minutes) > 1 else f"{minutes.iloc[0]:.2g}"
    return f"{note} Training took {times} min a model; interruptions are not counted."


def draw_learning(
    *, logs: InputFiles, models: list[str], eids: list[str], seeds: list[int], settings: Drawing, output: FigureStem
) -> None:
    """Draw learning curves: training loss and validation scores by epoch.

    Args:
        logs: validation log of each training, CSV.
        models: label of each, e.g. neds-mm-scratch.
        eids: session of each; - for several.
        seeds: seed of each.
        settings: `modalities` (list of registry entries).
        output: files to write, without .pdf, .png and .csv.
    """
    if any(len(values) != len(logs) for values in (models, eids, seeds)):
        raise UserError("--models, --eids, --seeds: give one value for each file of --logs")
    runs = [
        TrainingLog(label, eid, seed, read_csv(path))
        for label, eid, seed, path in zip(models, eids, seeds, logs, strict=True)
    ]
    draw(lambda: learning_figure(runs, by_name(settings.modalities)), output)
