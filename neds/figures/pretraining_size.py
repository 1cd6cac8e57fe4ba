"""Score against the number of sessions that a model was pretrained on."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from neds.evaluation.summary import drawn_metrics, n_text, session_scores, unscored_note, with_unit_tasks
from neds.evaluation.tables import metrics_table
from neds.figures.drawing import PretrainingSizeDrawing
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
def pretraining_size_figure(
    metrics: pd.DataFrame,
    sessions: pd.DataFrame,
    modalities: dict[str, Modality],
    *,
    sets: Mapping[str, Sequence[str]],
    curves: Sequence[Mapping[str, str]],
) -> tuple[Figure, pd.DataFrame]:
    """A panel per target, a curve per kind of model, and what was plotted.

    Args:
        metrics: the metrics table of all evaluations.
        sessions: the sessions table; only usable sessions of a pretraining set count.
        sets: EIDs of each pretraining set.
        curves: label of the model that was fine-tuned from each set, "" for the one that was not pretrained.

    Raises:
        NothingToDraw: no model that was fine-tuned has a score.
    """
    usable = set(sessions.loc[sessions["usable"], "eid"])
    size = {name: len(usable & set(eids)) for name, eids in sets.items()} | {"": 0}
    scores, modalities = session_scores(metrics), with_unit_tasks(modalities, metrics)
    scores["label"] = labels_of(scores)
    panels = []
    for target, metric in drawn_metrics(modalities).items():
        for curve in curves:
            set_of = {label: name for name, label in curve.items()}
            chosen = (scores["target"] == target) & (scores["metric"] == metric) & scores["label"].isin(set_of)
            rows = scores[chosen].assign(pretraining_set=lambda t, s=set_of: t["label"].map(s))
            if rows["pretraining_set"].ne("").any():
                rows = rows.assign(amount=rows["pretraining_set"].map(size))
                panels.append((target, rows.assign(step=rows["amount"])))
    if not panels:
        raise NothingToDraw("No pretrained model could be evaluated on a test session.")

    fig, axes = panel_grid(len(panels), panels_per_row=5, panel_height_in=1.7)
    plotted = []
    entries: dict[str, Artist] = {}
    for ax, (target, rows) in zip(axes, panels, strict=True):
        pretrained = rows.loc[rows["pretraining_set"] != "", "label"].iloc[0]
        title = model_title(model_family(pretrained))
        plotted.append(plot_scaling(ax, rows, color=model_style(pretrained).color, label=title))
        scale_amounts(ax, rows["amount"])
        panel_title(ax, modalities[target].title, "n = " + n_text(plotted[-1], "session"))
        ax.set_xlabel("pretraining sessions")
        ax.set_ylabel(METRIC_TITLES[rows["metric"].iloc[0]])
        handles, titles = ax.get_legend_handles_labels()
        entries |= dict(zip(titles, handles, strict=True))
    legend_below(fig, list(entries.values()), list(entries))
    none = " 0: trained on the test session alone." if (pd.concat(plotted)["amount"] == 0).any() else ""
    note = f"Mean over test sessions ± s.e.m.; thin lines: sessions{over_seeds(scores['n_seeds'].max())}.{none}"
    shown = metrics[labels_of(metrics).isin({label for curve in curves for label in curve.values()})]
    note_above(fig, note + unscored_note(shown, modalities))
    table = pd.concat(plotted, ignore_index=True).rename(columns={"amount": "n_pretraining_sessions"})
    return fig, table.drop(columns=["label", "step"])


def draw_pretraining_size(
    *, metrics: InputFile, sessions: InputFile, settings: PretrainingSizeDrawing, output: FigureStem
) -> None:
    """Draw scores against the number of sessions that a model was pretrained on.

    Args:
        metrics: metrics table of all evaluations, CSV.
        sessions: sessions table, CSV.
        settings: `modalities` (list of registry entries), `sets` (EIDs by name), `curves` (lists of model labels by set).
        output: files to write, without .pdf, .png and .csv.
    """
    scores, table, modalities = metrics_table([metrics]), read_csv(sessions), by_name(settings.modalities)
    draw(lambda: pretraining_size_figure(scores, table, modalities, sets=settings.sets, curves=settings.curves), output)
