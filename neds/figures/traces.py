"""True against predicted traces of continuous modalities (paper: Fig. 2E, F, of behaviour), trial after trial.

Shapes: K test trials, T bins.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neds.evaluation.metrics import r2
from neds.evaluation.score import LEAST_SHARE_OF_TRAINING_STD
from neds.figures.comparison import Comparison, by_model, read_comparison
from neds.figures.drawing import Drawing
from neds.figures.names import METRIC_TITLES
from neds.figures.numbers import rounded
from neds.figures.panels import note_above
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import (
    NOTE_COLOR,
    TRUTH_COLOR,
    WIDTH_IN,
    figure_style,
    legend_columns,
    legend_lines,
    model_style,
)
from neds.files.roles import FigureStem, InputFile, InputFiles

_GAP = 0.12
"""Gap between trials, as a share of a trial's duration."""
_MOST_COLUMNS = 3
"""Of a modality with more values per bin the first are drawn: of components those that hold the most variance."""


def plot_traces(
    ax: Axes, *, time_s: np.ndarray, truth: np.ndarray, predicted: dict[str, np.ndarray], trial_names: list[str]
) -> pd.DataFrame:
    """Traces of a few trials one after the other, with a tick at the alignment event of each.

    Args:
        time_s: (T,) centres of the bins from the alignment event.
        truth: (K, T) in the behaviour's unit.
        predicted: (K, T) by model label.
        trial_names: (K) tick labels.

    Returns:
        What was plotted: trial, time_s, series (truth or a model), value.
    """
    step_s = (1 + _GAP) * (time_s[-1] - time_s[0])
    starts_s = np.arange(len(truth)) * step_s
    colors = {"truth": TRUTH_COLOR} | {model: model_style(model).color for model in predicted}
    plotted = []
    for name, values in {"truth": truth, **predicted}.items():
        width = 1.0 if name == "truth" else 0.9
        for start_s, trial, trace in zip(starts_s, trial_names, values, strict=True):
            ax.plot(start_s + time_s, trace, color=colors[name], linewidth=width)
            plotted.append(pd.DataFrame({"trial": trial, "time_s": time_s, "series": name, "value": trace}))
    for start_s in starts_s:
        ax.axvline(start_s, color=NOTE_COLOR, linewidth=0.5, linestyle=":", zorder=0)
    ax.set_xticks(starts_s, trial_names)
    ax.set_xlim(time_s[0] - _GAP * step_s, starts_s[-1] + time_s[-1] + _GAP * step_s)
    return pd.concat(plotted, ignore_index=True)


@figure_style()
def traces_figure(comparison: Comparison, *, n_trials: int = 10) -> tuple[Figure, pd.DataFrame]:
    """Every continuous modality in test trials evenly spaced over the session, and what was plotted.

    The R2 of each model is over all test trials.

    Raises:
        NothingToDraw: the models predict no continuous modality.
    """
    panels = [
        (m, column) for m in comparison.targets("continuous") for column in range(min(m.n_columns, _MOST_COLUMNS))
    ]
    if not panels:
        raise NothingToDraw(f"No model predicts a continuous modality of session {comparison.session.eid}.")
    shown = np.unique(np.linspace(0, len(comparison.trials) - 1, n_trials).round().astype(int))
    names = [str(trial) for trial in comparison.session.trials["original_index"].iloc[comparison.trials[shown]]]
    fig = Figure(figsize=(WIDTH_IN, 1.25 * len(panels) + 0.75), layout="constrained")
    axes = fig.subplots(len(panels), 1, squeeze=False)[:, 0]
    plotted = []
    for ax, (modality, column) in zip(axes, panels, strict=True):
        truth = comparison.truth(modality.name)[..., column]
        predicted = {m: values[..., column] for m, values in comparison.predictions_of(modality.name).items()}
        rows = plot_traces(
            ax,
            time_s=comparison.time_s,
            truth=truth[shown],
            predicted={model: values[shown] for model, values in predicted.items()},
            trial_names=names,
        )
        least = LEAST_SHARE_OF_TRAINING_STD * comparison.session.statistics[modality.name]["std"][column]
        scores = {model: r2(truth, values, least_std=least) for model, values in predicted.items()}
        _describe(ax, modality.title + (f" [{column}]" if modality.n_columns > 1 else ""), modality.unit, scores)
        rows.insert(0, "behaviour", modality.name)
        rows.insert(1, "column", column)
        plotted.append(rows.assign(r2=rows["series"].map(scores)))
    start_s, end_s = comparison.session.window_start_s, comparison.session.window_start_s + _duration_s(comparison)
    axes[-1].set_xlabel(
        f"test {comparison.cut_into} (index in the recording); each from {start_s:g} to {end_s:g} s, "
        f"dotted line: {comparison.event}"
    )
    handles = legend_lines(comparison.predicted)
    n_columns = legend_columns([str(handle.get_label()) for handle in handles], WIDTH_IN)
    fig.legend(handles=handles, loc="outside lower center", ncols=n_columns)
    note_above(
        fig,
        f"{len(shown)} test {comparison.cut_into}s evenly spaced over the session; R² over all {len(comparison.trials)}.",
    )
    return fig, pd.concat(plotted, ignore_index=True)


def _duration_s(comparison: Comparison) -> float:
    return comparison.session.n_bins * comparison.session.bin_s


def _describe(ax: Axes, title: str, unit: str, scores: dict[str, float]) -> None:
    """Name the behaviour at the left and, at the right, each model's score in its colour."""
    ax.set_title(title)
    ax.set_ylabel(unit)
    for place, (model, score) in enumerate(reversed(scores.items())):
        ax.annotate(
            f"{METRIC_TITLES['r2']} {f'= {rounded(score, 2)}' if np.isfinite(score) else 'undefined'}",
            (1, 1),
            (-50 * place, 5),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            color=model_style(model).color,
        )


def draw_traces(
    *, aligned: InputFile, predictions: InputFiles, models: list[str], settings: Drawing, output: FigureStem
) -> None:
    """Draw true against predicted traces of every continuous modality of one session.

    Args:
        aligned: aligned session file.
        predictions: predictions of each model.
        models: name of the model of each predictions file, e.g. neds-mm-scratch-seed0.
        settings: modalities, whose labels and units are shown.
        output: files to write, without .pdf, .png and .csv.
    """
    given = by_model(models, predictions)

    def figure() -> tuple[Figure, pd.DataFrame]:
        shown = settings.modalities
        return traces_figure(read_comparison(aligned=aligned, predictions=given, task=None, modalities=shown))

    draw(figure, output)
