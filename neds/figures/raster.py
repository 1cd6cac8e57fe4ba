"""Single trials of a few units, true and predicted, as images.

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

from neds.evaluation.metrics import bits_per_spike
from neds.figures.comparison import Comparison
from neds.figures.psths import units_to_draw
from neds.figures.style import METRIC_TITLES, NOTE_COLOR, WIDTH_IN, figure_style, model_style

_COLOR_MAP = "magma_r"
_MARK_COLOR = "#0072B2"
_SMOOTHING_BINS = 1.0


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
    boundaries: Sequence[int] = (),
) -> AxesImage:
    """Rates (K, T) of one unit as an image, the first trial on top.

    Args:
        time_s: (T,) centres of the bins.
        largest_hz: rate at the end of the colour scale, which starts at 0.
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
        vmin=0,
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
    """Every test trial of the units that the first model predicts best: truth beside each model, and what was plotted.

    Args:
        group_by: task variable by whose values trials are ordered first, where the session has it.

    Raises:
        NothingToDraw: the models predict no spikes, or no unit fires in the test trials.
    """
    target, chosen = units_to_draw(comparison, n_units)
    units = [unit for unit, _ in chosen]
    bin_s, time_s = comparison.session.bin_s, comparison.time_s
    counts, predicted = comparison.truth(target), comparison.predictions_of(target)
    scores = {model: bits_per_spike(rates, counts)[units] for model, rates in predicted.items()}
    series = {"truth": gaussian_filter1d(counts[..., units].astype(np.float32) / bin_s, _SMOOTHING_BINS, axis=1)}
    series |= {model: rates[..., units] / bin_s for model, rates in predicted.items()}
    groups, moved_s = comparison.groups(group_by), comparison.first_movement_s()
    order = trial_order(series["truth"], groups=groups, first_movement_s=moved_s)

    fig = Figure(figsize=(WIDTH_IN, 1.65 * len(units) + 0.7), layout="constrained")
    axes = fig.subplots(len(units), len(series), squeeze=False, sharex=True, sharey=True)
    boundaries = np.array([], int) if groups is None else np.flatnonzero(groups[order][1:] != groups[order][:-1]) + 1
    headers = {model: model_style(model).title for model in predicted}
    headers |= {"truth": f"truth, smoothed (s.d. {1000 * _SMOOTHING_BINS * bin_s:g} ms)"}
    plotted = []
    for row, unit in enumerate(units):
        largest_hz = _largest(series, row)
        for column, (name, rates_hz) in enumerate(series.items()):
            ax = axes[row, column]
            image = plot_raster(
                ax,
                rates_hz[order, :, row],
                time_s=time_s,
                largest_hz=largest_hz,
                first_movement_s=None if moved_s is None else moved_s[order],
                boundaries=boundaries,
            )
            header = headers[name] if row == 0 else ""
            score = f"{scores[name][row]:.2f} {METRIC_TITLES['bits_per_spike']}" if name in scores else ""
            ax.set_title("\n".join(filter(None, [header, score])), fontsize=7)
            ax.tick_params(axis="y", length=0)
            plotted.append(_table(rates_hz[order, :, row], unit, name, comparison.trials[order], time_s))
        axes[row, 0].set_ylabel(comparison.unit_title(unit) + ("\ntrial" if groups is None else ""))
        fig.colorbar(image, ax=axes[row, :], label="spikes/s", extend="max", pad=0.01, aspect=12)
    for ax in axes[-1]:
        ax.set_xlabel("time from event (s)")
        ax.xaxis.set_major_locator(MaxNLocator(4))
    if groups is not None:
        _name_groups(axes[:, 0], groups[order], boundaries)
    fig.suptitle(_caption(len(order), groups is not None, group_by, moved_s is not None), color=NOTE_COLOR)
    return fig, pd.concat(plotted, ignore_index=True)


def _largest(series: dict[str, np.ndarray], row: int) -> float:
    """End of a unit's shared colour scale: single trials are noisy, so a few of their peaks may exceed it."""
    truth, *models = (rates[..., row] for rates in series.values())
    return max(np.percentile(truth, 95), *(np.percentile(rates, 99.5) for rates in models), 1e-3)


def _name_groups(axes: np.ndarray, groups: np.ndarray, boundaries: np.ndarray) -> None:
    """Name the groups (K,) of the ordered trials at the left of some axes."""
    edges = np.concatenate([[0], boundaries, [len(groups)]])
    names = [groups[first] or "unknown" for first in edges[:-1]]
    for ax in axes:
        ax.set_yticks((edges[:-1] + edges[1:]) / 2, names, rotation=90, va="center")


def _caption(n_trials: int, grouped: bool, group_by: str, moved: bool) -> str:
    within = "time of first movement (blue dots)" if moved else "similarity (first principal component)"
    ordered = f"{group_by}, then by {within}" if grouped else within
    return f"{n_trials} test trials, ordered by {ordered}. Colours: one scale per unit."


def _table(rates_hz: np.ndarray, unit: int, series: str, trials: np.ndarray, time_s: np.ndarray) -> pd.DataFrame:
    n_trials, n_bins = rates_hz.shape
    return pd.DataFrame(
        {
            "unit": unit,
            "series": series,
            "row": np.repeat(np.arange(n_trials), n_bins),
            "trial": np.repeat(trials, n_bins),
            "time_s": np.tile(time_s, n_trials),
            "rate_hz": rates_hz.ravel(),
        }
    )


def _first_component(values: np.ndarray) -> np.ndarray:
    """Score (K,) of each trial on the first principal component; its sign is that of its largest loading."""
    centered = values.reshape(len(values), -1) - values.reshape(len(values), -1).mean(0)
    left, singular, right = np.linalg.svd(centered, full_matrices=False)
    return left[:, 0] * singular[0] * np.sign(right[0, np.abs(right[0]).argmax()])
