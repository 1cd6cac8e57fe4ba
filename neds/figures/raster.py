"""What single trials of a few units differ by from their condition's average (paper: Fig. 2D), true and predicted.

Shapes: K test trials, T bins, U units drawn.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from scipy.ndimage import gaussian_filter1d

from neds.evaluation.metrics import bits_per_spike, condition_averages
from neds.figures.comparison import Comparison, by_model, read_comparison
from neds.figures.drawing import Drawing
from neds.figures.names import METRIC_TITLES
from neds.figures.numbers import rounded
from neds.figures.panels import note_above
from neds.figures.psths import ranking_note, units_to_draw
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import WIDTH_IN, figure_style, model_style
from neds.files.roles import FigureStem, InputFile, InputFiles
from neds.words import counted

_COLOR_MAP = "PuOr_r"
_MARK_COLOR = "#000000"
_SMOOTHING_BINS = 1.0


def deviations(values: np.ndarray, condition: np.ndarray) -> np.ndarray:
    """Values (K, T, U) less the trial average of their condition (K,)."""
    row = np.unique(condition, return_inverse=True)[1]
    return values - condition_averages(values, condition, min_trials=1)[row]


def trial_order(
    rates_hz: np.ndarray, *, groups: np.ndarray | None = None, first_movement_s: np.ndarray | None = None
) -> np.ndarray:
    """Order (K,) of the trials: by group, within it by time of first movement, or by similarity where that is unknown.

    Similarity is the score on the first principal component over trials.

    Args:
        rates_hz: (K, T, U).
        groups: (K,) names.
        first_movement_s: (K,), NaN last.
    """
    within = _first_component(rates_hz) if first_movement_s is None else first_movement_s
    return np.lexsort([within] if groups is None else [within, groups.astype(str)])


def plot_raster(
    ax: Axes,
    rates_hz: np.ndarray,
    *,
    time_s: np.ndarray,
    largest_hz: float,
    first_movement_s: np.ndarray | None = None,
    boundaries: Sequence[int] | np.ndarray = (),
) -> AxesImage:
    """Deviations of rates (K, T) of one unit as an image, the first trial on top.

    Args:
        time_s: (T,) centres of the bins.
        largest_hz: deviation at both ends of the colour scale.
        first_movement_s: (K,) time of a dot in each trial.
        boundaries: numbers of trials above which a line parts groups.
    """
    half_bin_s = (time_s[1] - time_s[0]) / 2
    n_trials = len(rates_hz)
    image = ax.imshow(
        rates_hz,
        extent=(time_s[0] - half_bin_s, time_s[-1] + half_bin_s, n_trials, 0),
        aspect="auto",
        interpolation="none",
        cmap=_COLOR_MAP,
        vmin=-largest_hz,
        vmax=largest_hz,
    )
    if first_movement_s is not None:
        inside = (first_movement_s > time_s[0]) & (first_movement_s < time_s[-1])
        ax.scatter(first_movement_s[inside], np.flatnonzero(inside) + 0.5, s=1.5, color=_MARK_COLOR, linewidth=0)
    for boundary in boundaries:
        ax.axhline(boundary, color="black", linewidth=0.8)
    ax.axvline(0, color="black", linewidth=0.6, linestyle=":")
    return image


@figure_style()
def raster_figure(comparison: Comparison, *, n_units: int = 3, group_by: str = "choice") -> tuple[Figure, pd.DataFrame]:
    """Test trials of the `best_units` of the first model: truth beside each model, and what was plotted.

    Trials whose condition occurs once do not differ from its average and are left out.

    Args:
        group_by: task variable by whose values trials are ordered first, where the session has it.

    Raises:
        NothingToDraw: the models predict no spikes, no unit fires in the test trials, or no condition has two of them.
    """
    target, chosen = units_to_draw(comparison, n_units)
    units = [ranked.unit for ranked in chosen]
    bin_s, time_s = comparison.session.bin_s, comparison.time_s
    counts, predicted = comparison.truth(target), comparison.predictions_of(target)
    scores = {model: bits_per_spike(rates, counts)[units] for model, rates in predicted.items()}
    kept = _with_others(comparison.condition)
    if not kept.any():
        raise NothingToDraw(f"No condition of session {comparison.session.eid} has two test trials to compare.")
    series = {"truth": gaussian_filter1d(counts[..., units].astype(np.float32) / bin_s, _SMOOTHING_BINS, axis=1)}
    series |= {model: rates[..., units] / bin_s for model, rates in predicted.items()}
    series = {name: deviations(values[kept], comparison.condition[kept]) for name, values in series.items()}
    groups, moved_s = comparison.groups(group_by), comparison.first_movement_s()
    groups, moved_s = (None if values is None else values[kept] for values in (groups, moved_s))
    order = trial_order(series["truth"], groups=groups, first_movement_s=moved_s)

    fig = Figure(figsize=(WIDTH_IN, 1.65 * len(units) + 0.9), layout="constrained")
    axes = fig.subplots(len(units), len(series), squeeze=False, sharex=True, sharey=True)
    boundaries = np.array([], int) if groups is None else np.flatnonzero(groups[order][1:] != groups[order][:-1]) + 1
    headers = {model: model_style(model).title for model in predicted}
    headers |= {"truth": f"recorded, smoothed (s.d. {1000 * _SMOOTHING_BINS * bin_s:g} ms)"}
    plotted = []
    for row, unit in enumerate(units):
        # Single trials are noisy and predictions are expectations: on one scale either would be invisible.
        predicted_hz = _largest([rates[..., row] for name, rates in series.items() if name != "truth"], 99.5)
        largest_hz = dict.fromkeys(series, predicted_hz) | {"truth": _largest([series["truth"][..., row]], 97)}
        for column, (name, rates_hz) in enumerate(series.items()):
            ax = axes[row, column]
            image = plot_raster(
                ax,
                rates_hz[order, :, row],
                time_s=time_s,
                largest_hz=largest_hz[name],
                first_movement_s=None if moved_s is None else moved_s[order],
                boundaries=boundaries,
            )
            header = headers[name] if row == 0 else ""
            score = f"{rounded(scores[name][row], 2)} {METRIC_TITLES['bits_per_spike']}" if name in scores else ""
            score = score or f"{counted(chosen[row].n_spikes, 'spike')}"
            ax.set_title("\n".join(filter(None, [header, score])), fontsize=7)
            ax.tick_params(axis="y", length=0)
            if column in (0, len(series) - 1):
                fig.colorbar(image, ax=ax, label="spikes/s less average", extend="both", pad=0.02, aspect=14)
            plotted.append(_table(rates_hz[order, :, row], unit, name, comparison.trials[kept][order], time_s))
        axes[row, 0].set_ylabel(comparison.unit_title(unit) + ("\ntrial" if groups is None else ""))
    for ax in axes[-1]:
        ax.set_xlabel(f"time from {comparison.event} (s)")
        ax.xaxis.set_major_locator(MaxNLocator(4))
    if groups is not None:
        _name_groups(axes[:, 0], groups[order], boundaries)
    caption = _caption(len(order), len(kept), groups is not None, group_by, moved_s is not None)
    note_above(fig, f"{caption}\n{ranking_note(chosen, next(iter(predicted)))}")
    return fig, pd.concat(plotted, ignore_index=True)


def _with_others(condition: np.ndarray) -> np.ndarray:
    """Whether each trial (K,) has another one of its condition."""
    labels, number = np.unique(condition, return_counts=True)
    return np.isin(condition, labels[number >= 2])


def _largest(rates_hz: list[np.ndarray], percentile: float) -> float:
    """Ends of a colour scale, beyond which the largest values lie."""
    return max(*(float(np.percentile(np.abs(values), percentile)) for values in rates_hz), 1e-3)


def _name_groups(axes: np.ndarray, groups: np.ndarray, boundaries: np.ndarray) -> None:
    """Name the groups (K,) of the ordered trials at the left of some axes."""
    edges = np.concatenate([[0], boundaries, [len(groups)]])
    names = [groups[first] or "unknown" for first in edges[:-1]]
    for ax in axes:
        ax.set_yticks((edges[:-1] + edges[1:]) / 2, names, rotation=90, va="center")


def _caption(n_trials: int, n_test: int, grouped: bool, group_by: str, moved: bool) -> str:
    within = "time of first movement (dots)" if moved else "similarity (first principal component)"
    ordered = f"{group_by}, then by {within}" if grouped else within
    scales = "Each unit has one colour scale for what was recorded, and one for the models."
    alone = f" ({n_test - n_trials} whose condition occurs once left out)" if n_trials < n_test else ""
    return (
        f"{n_trials} of {n_test} test trials{alone}, each less its condition's average; ordered by {ordered}. {scales}"
    )


def _table(rates_hz: np.ndarray, unit: int, series: str, trials: np.ndarray, time_s: np.ndarray) -> pd.DataFrame:
    n_trials, n_bins = rates_hz.shape
    return pd.DataFrame(
        {
            "unit": unit,
            "series": series,
            "row": np.repeat(np.arange(n_trials), n_bins),
            "trial": np.repeat(trials, n_bins),
            "time_s": np.tile(time_s, n_trials),
            "deviation_hz": rates_hz.ravel(),
        }
    )


def _first_component(values: np.ndarray) -> np.ndarray:
    """Score (K,) of each trial on the first principal component; its sign is that of its largest loading."""
    centered = values.reshape(len(values), -1) - values.reshape(len(values), -1).mean(0)
    left, singular, right = np.linalg.svd(centered, full_matrices=False)
    return left[:, 0] * singular[0] * np.sign(right[0, np.abs(right[0]).argmax()])


def draw_raster(
    *, aligned: InputFile, predictions: InputFiles, models: list[str], settings: Drawing, output: FigureStem
) -> None:
    """Draw single trials of a few units of one session, true and predicted.

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
        return raster_figure(read_comparison(aligned=aligned, predictions=given, task="encoding", modalities=shown))

    draw(figure, output)
