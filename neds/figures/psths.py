"""True against predicted PSTHs (paper: Fig. 2C): firing rates averaged over test trials.

Shapes: K test trials, T bins, N units.
"""

import itertools

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neds.evaluation.metrics import bits_per_spike
from neds.figures.comparison import Comparison, by_model, read_comparison
from neds.figures.drawing import Drawing
from neds.figures.names import METRIC_TITLES
from neds.figures.panels import note_above
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import (
    LINE_STYLES,
    NOTE_COLOR,
    TRUTH_COLOR,
    WIDTH_IN,
    figure_style,
    legend_columns,
    legend_lines,
    model_style,
)
from neds.files.roles import FigureStem, InputFile, InputFiles

_PANELS_PER_ROW = 5


def best_units(rates: np.ndarray, counts: np.ndarray, number: int) -> list[tuple[int, float]]:
    """The units that are predicted best, with their bits per spike, best first; units without a spike are left out.

    Args:
        rates: (K, T, N) expected spikes per bin.
        counts: (K, T, N) spikes.
    """
    scores = bits_per_spike(rates, counts)
    ranked = sorted(np.flatnonzero(np.isfinite(scores)), key=lambda unit: -scores[unit])
    return [(int(unit), float(scores[unit])) for unit in ranked[:number]]


def plot_psth(
    ax: Axes,
    *,
    time_s: np.ndarray,
    truth_hz: np.ndarray,
    predicted_hz: dict[str, np.ndarray],
    groups: np.ndarray | None = None,
) -> pd.DataFrame:
    """Trial averages of one unit, a line style per group of trials; the band is the s.e.m. of the truth over trials.

    Args:
        time_s: (T,) centres of the bins.
        truth_hz: (K, T) spikes per bin over the bin width.
        predicted_hz: (K, T) by model label.
        groups: (K,) name of each trial's group, "" for trials to leave out; one group of all trials when omitted.

    Returns:
        What was plotted: group, n_trials, series (truth or a model), time_s, rate_hz, sem_hz (of the truth only).
    """
    plotted = []
    for name, line_style in _line_styles(groups).items():
        chosen = np.ones(len(truth_hz), bool) if groups is None else groups == name
        n_trials = int(chosen.sum())
        mean = truth_hz[chosen].mean(0)
        sem = truth_hz[chosen].std(0, ddof=1) / np.sqrt(n_trials) if n_trials > 1 else np.full(len(mean), np.nan)
        ax.fill_between(time_s, mean - sem, mean + sem, color=TRUTH_COLOR, alpha=0.15, linewidth=0)
        ax.plot(time_s, mean, color=TRUTH_COLOR, linestyle=line_style, linewidth=0.8)
        series = {"truth": (mean, sem)}
        for model, rates in predicted_hz.items():
            average = rates[chosen].mean(0)
            ax.plot(time_s, average, color=model_style(model).color, linestyle=line_style, linewidth=1.2)
            series[model] = (average, np.full(len(average), np.nan))
        plotted += [
            pd.DataFrame(
                {"group": name, "n_trials": n_trials, "series": key, "time_s": time_s, "rate_hz": m, "sem_hz": s}
            )
            for key, (m, s) in series.items()
        ]
    ax.set_xlim(time_s[0], time_s[-1])
    ax.set_ylim(bottom=0)
    return pd.concat(plotted, ignore_index=True)


@figure_style()
def psths_figure(comparison: Comparison, *, n_units: int = 10, split_by: str = "choice") -> tuple[Figure, pd.DataFrame]:
    """PSTHs of the units that the first model predicts best, and what was plotted.

    Args:
        split_by: task variable whose values are averaged apart, where the session has it.

    Raises:
        NothingToDraw: the models predict no spikes, or no unit fires in the test trials.
    """
    target, units = units_to_draw(comparison, n_units)
    bin_s, models = comparison.session.bin_s, list(comparison.predicted)
    counts, rates = comparison.truth(target), comparison.predictions_of(target)
    groups = comparison.groups(split_by)
    n_columns = min(len(units), _PANELS_PER_ROW)
    n_rows = -(-len(units) // n_columns)
    width_in = max(3.5, WIDTH_IN * n_columns / _PANELS_PER_ROW)
    fig = Figure(figsize=(width_in, 1.6 * n_rows + 0.7), layout="constrained")
    axes = fig.subplots(n_rows, n_columns, squeeze=False)
    plotted = []
    for ax, (unit, score) in zip(axes.ravel(), units, strict=False):
        rows = plot_psth(
            ax,
            time_s=comparison.time_s,
            truth_hz=counts[:, :, unit] / bin_s,
            predicted_hz={model: values[:, :, unit] / bin_s for model, values in rates.items()},
            groups=groups,
        )
        ax.axvline(0, color=NOTE_COLOR, linewidth=0.5, linestyle=":", zorder=0)
        ax.set_title(f"{comparison.unit_title(unit)}\n{score:.2f} {METRIC_TITLES['bits_per_spike']}", fontsize=7)
        rows.insert(0, "unit", unit)
        rows.insert(1, "bits_per_spike", score)
        plotted.append(rows)
    for ax in axes.ravel()[len(units) :]:
        ax.remove()
    for position in range(len(units)):
        ax = axes.ravel()[position]
        if position + n_columns >= len(units):
            ax.set_xlabel("time from event (s)")
        if position % n_columns == 0:
            ax.set_ylabel("rate (spikes/s)")
    handles = legend_lines(models)
    if groups is not None:
        styles = _line_styles(groups).items()
        handles += [Line2D([], [], color=NOTE_COLOR, linestyle=s, linewidth=0.8, label=name) for name, s in styles]
    fig.legend(
        handles=handles,
        loc="outside lower center",
        ncols=legend_columns([handle.get_label() for handle in handles], width_in),
    )
    note_above(
        fig,
        f"Averages over {len(comparison.trials)} test trials; band: s.e.m. of the truth over trials. "
        f"Units with the highest bits per spike (given) of {model_style(models[0]).title}.",
    )
    return fig, pd.concat(plotted, ignore_index=True)


def units_to_draw(comparison: Comparison, number: int) -> tuple[str, list[tuple[int, float]]]:
    """The first counts modality that all models predict, and the `best_units` of the first model.

    Raises:
        NothingToDraw: there is no such modality, or no unit fires in the test trials.
    """
    targets = comparison.targets("counts")
    if not targets:
        raise NothingToDraw(f"No model predicts the spikes of session {comparison.session.eid}.")
    target = targets[0].name
    first = next(iter(comparison.predictions_of(target).values()))
    units = best_units(first, comparison.truth(target), number)
    if not units:
        raise NothingToDraw(f"No unit of session {comparison.session.eid} fires in its test trials.")
    return target, units


def _line_styles(groups: np.ndarray | None) -> dict[str, str | tuple]:
    """Line style by group, in order of name; one group without a name when trials are not grouped."""
    names = [""] if groups is None else sorted(set(groups) - {""})
    return dict(zip(names, itertools.cycle(LINE_STYLES), strict=False))


def draw_psths(
    *, aligned: InputFile, predictions: InputFiles, models: list[str], settings: Drawing, output: FigureStem
) -> None:
    """Draw true against predicted PSTHs of the best units of one session.

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
        return psths_figure(read_comparison(aligned=aligned, predictions=given, task="encoding", modalities=shown))

    draw(figure, output)
