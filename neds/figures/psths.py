"""True against predicted PSTHs (paper: Fig. 2C): firing rates averaged over test trials.

Shapes: K test trials, T bins, N units.
"""

import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neds.evaluation.metrics import bits_by_trial
from neds.figures.comparison import Comparison, by_model, read_comparison
from neds.figures.drawing import Drawing
from neds.figures.names import METRIC_TITLES
from neds.figures.numbers import rounded
from neds.figures.panels import note_above
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import (
    LINE_STYLES,
    NOTE_COLOR,
    TRUTH_COLOR,
    WIDTH_IN,
    LineStyle,
    figure_style,
    legend_columns,
    legend_lines,
    model_style,
)
from neds.files.roles import FigureStem, InputFile, InputFiles
from neds.words import counted

_PANELS_PER_ROW = 5


@dataclass(frozen=True)
class RankedUnit:
    """How well a unit is predicted, and how sure that is.

    Attributes:
        unit: index in the session.
        n_spikes: in the test trials.
        gain_bits: log-likelihood gain over its mean rate, summed over the test trials.
        least_gain_bits: the same less two standard errors over trials.
    """

    unit: int
    n_spikes: int
    gain_bits: float
    least_gain_bits: float

    @property
    def bits_per_spike(self) -> float:
        return self.gain_bits / self.n_spikes

    @property
    def title(self) -> str:
        """The numbers as two lines."""
        bits = f"{rounded(self.bits_per_spike, 2)} {METRIC_TITLES['bits_per_spike']}"
        return f"{bits}\n{counted(self.n_spikes, 'spike')}"


def best_units(rates: np.ndarray, counts: np.ndarray, number: int) -> list[RankedUnit]:
    """The units of which the evidence is best that they are predicted, by `least_gain_bits`.

    By bits per spike alone the best of many units are those with a few spikes that happened to fall right. Units without a
    spike are left out.

    Args:
        rates: (K, T, N) expected spikes per bin.
        counts: (K, T, N) spikes.
    """
    by_trial, n_spikes = bits_by_trial(rates, counts), counts.sum((0, 1), dtype=np.int64)
    gain = by_trial.sum(0)
    least = gain - 2 * np.sqrt(len(by_trial)) * by_trial.std(0, ddof=1) if len(by_trial) > 1 else gain
    ranked = sorted(np.flatnonzero((n_spikes > 0) & np.isfinite(gain)), key=lambda unit: -least[unit])
    return [RankedUnit(int(u), int(n_spikes[u]), float(gain[u]), float(least[u])) for u in ranked[:number]]


def ranking_note(units: Sequence[RankedUnit], model: str) -> str:
    """How the units that are drawn were chosen, by a model's label."""
    note = (
        f"Units that {model_style(model).title} predicts most surely: by the gain in log-likelihood over the mean rate,"
    )
    note += " summed over test trials, less two s.e. over trials."
    n_sure = sum(unit.least_gain_bits > 0 for unit in units)
    return note if n_sure == len(units) else f"{note} It is above 0 for {n_sure} of these {len(units)}."


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
    """PSTHs of the `best_units` of the first model, and what was plotted.

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
    fig = Figure(figsize=(width_in, 1.7 * n_rows + 0.9), layout="constrained")
    axes = fig.subplots(n_rows, n_columns, squeeze=False)
    plotted = []
    for ax, ranked in zip(axes.ravel(), units, strict=False):
        unit = ranked.unit
        rows = plot_psth(
            ax,
            time_s=comparison.time_s,
            truth_hz=counts[:, :, unit] / bin_s,
            predicted_hz={model: values[:, :, unit] / bin_s for model, values in rates.items()},
            groups=groups,
        )
        ax.axvline(0, color=NOTE_COLOR, linewidth=0.5, linestyle=":", zorder=0)
        ax.set_title(f"{comparison.unit_title(unit)}\n{ranked.title}", fontsize=7)
        rows.insert(0, "unit", unit)
        for place, name in enumerate(("bits_per_spike", "n_spikes", "gain_bits", "least_gain_bits"), start=1):
            rows.insert(place, name, getattr(ranked, name))
        plotted.append(rows)
    for ax in axes.ravel()[len(units) :]:
        ax.remove()
    for position in range(len(units)):
        ax = axes.ravel()[position]
        if position + n_columns >= len(units):
            ax.set_xlabel(textwrap.fill(f"time from {comparison.event} (s)", 20))
        if position % n_columns == 0:
            ax.set_ylabel("rate (spikes/s)")
    handles = legend_lines(models)
    if groups is not None:
        styles = _line_styles(groups).items()
        handles += [Line2D([], [], color=NOTE_COLOR, linestyle=s, linewidth=0.8, label=name) for name, s in styles]
    fig.legend(
        handles=handles,
        loc="outside lower center",
        ncols=legend_columns([str(handle.get_label()) for handle in handles], width_in),
    )
    averaged = (
        f"Averages over {_counted(groups, len(comparison.trials), split_by)}; band: s.e.m. of the truth over trials."
    )
    note_above(fig, f"{averaged}\n{ranking_note(units, models[0])}")
    return fig, pd.concat(plotted, ignore_index=True)


def _counted(groups: np.ndarray | None, n_trials: int, split_by: str) -> str:
    """The trials of the averages by group, and those that are in none."""
    if groups is None:
        return counted(n_trials, "test trial")
    parts = [f"{np.sum(groups == name)} of {name}" for name in sorted(set(groups) - {""})]
    n_unknown = int(np.sum(groups == ""))
    left_out = f" ({n_unknown} of unknown {split_by} left out)" if n_unknown else ""
    return f"test trials, {', '.join(parts)}{left_out}"


def units_to_draw(comparison: Comparison, number: int) -> tuple[str, list[RankedUnit]]:
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


def _line_styles(groups: np.ndarray | None) -> dict[str, LineStyle]:
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
