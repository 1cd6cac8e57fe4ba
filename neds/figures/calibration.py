"""Calibration: how often a decoded class is right, against the probability that the model gives it."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from neds.errors import UserError
from neds.evaluation.calibration import N_BINS, confidence_bins, expected_calibration_error
from neds.figures.comparison import Comparison, by_model, read_comparison
from neds.figures.drawing import Drawing
from neds.figures.names import in_order
from neds.figures.panels import is_leftmost, note_above, panel_grid, panel_title
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import NOTE_COLOR, figure_style, model_style
from neds.files.roles import FigureStem, InputFiles

_DOT_AREA = 60
_PANELS_PER_ROW = 5


@dataclass(frozen=True)
class Reliability:
    """Trials grouped by the probability of their most probable class.

    Attributes:
        bins: a row per bin that has trials: low, high, n_trials, confidence (mean probability), accuracy, and the 95 %
            interval of the accuracy (ci_low, ci_high; Wilson 1927).
        chance: 1 / C, the smallest probability of the most probable of C classes.
        ece: `expected_calibration_error`; NaN without trials.
    """

    bins: pd.DataFrame
    chance: float
    ece: float


def reliability(probabilities: np.ndarray, truth: np.ndarray, *, n_bins: int = N_BINS) -> Reliability:
    """Confidence against accuracy in bins of equal width between chance and 1.

    Args:
        probabilities: (K, C) of C classes in K trials.
        truth: (K,) class, -1 where unknown: these trials are left out.
    """
    bins = confidence_bins(probabilities, truth, n_bins=n_bins)
    counted = zip(bins["n_right"], bins["n_trials"], strict=True)
    intervals = [binomtest(int(right), int(number)).proportion_ci(method="wilson") for right, number in counted]
    bins["ci_low"], bins["ci_high"] = (
        [interval.low for interval in intervals],
        [interval.high for interval in intervals],
    )
    columns = ["low", "high", "n_trials", "confidence", "accuracy", "ci_low", "ci_high"]
    return Reliability(bins[columns], 1 / probabilities.shape[1], expected_calibration_error(bins))


def plot_reliability(ax: Axes, found: Reliability, *, color: str) -> None:
    """Accuracy against confidence: a dot per bin, its area in proportion to its trials; the diagonal is calibrated."""
    bins = {name: column.to_numpy() for name, column in found.bins.items()}
    ax.plot([0, 1], [0, 1], color=NOTE_COLOR, linewidth=0.6, linestyle=(0, (3, 2)), zorder=1)
    intervals = [bins["accuracy"] - bins["ci_low"], bins["ci_high"] - bins["accuracy"]]
    ax.errorbar(
        bins["confidence"],
        bins["accuracy"],
        yerr=np.stack(intervals),
        fmt="none",
        ecolor=color,
        elinewidth=0.8,
        zorder=2,
    )
    area = 4 + _DOT_AREA * bins["n_trials"] / bins["n_trials"].sum()
    dots: dict[str, Any] = {"color": color, "edgecolor": "black", "linewidth": 0.4, "zorder": 3, "clip_on": False}
    ax.scatter(bins["confidence"], bins["accuracy"], s=area, **dots)
    ax.set(xlim=(found.chance - 0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0.5, 0.75, 1], yticks=[0, 0.5, 1])


@figure_style()
def calibration_figure(comparisons: list[Comparison]) -> tuple[Figure, pd.DataFrame]:
    """A row per categorical behaviour, a panel per model, with the trials of all sessions; and what was plotted.

    Args:
        comparisons: decoded behaviour of each session.

    Raises:
        NothingToDraw: no model decodes a categorical behaviour.
    """
    modalities = {m.name: m for c in comparisons for m in c.session.modalities.values() if m.kind == "categorical"}
    models = in_order({model for comparison in comparisons for model in comparison.predicted})
    pooled = {}
    for target in modalities:
        for model in models:
            own = [c for c in comparisons if target in c.predicted.get(model, {})]
            if own:
                probabilities = np.concatenate([c.predicted[model][target] for c in own])
                pooled[target, model] = (
                    reliability(probabilities, np.concatenate([c.truth(target) for c in own])),
                    len(own),
                )
    pooled = {key: value for key, value in pooled.items() if len(value[0].bins)}
    if not pooled:
        raise NothingToDraw("No model decodes a categorical behaviour of a test session.")

    # The panels of each behaviour begin a row.
    drawn = list(dict.fromkeys(model for _, model in pooled))
    n_columns = len(drawn) if len(drawn) <= _PANELS_PER_ROW else -(-len(drawn) // 2)
    n_places = -(-len(drawn) // n_columns) * n_columns
    targets = list(dict.fromkeys(target for target, _ in pooled))
    places = {(target, model): targets.index(target) * n_places + drawn.index(model) for target, model in pooled}
    n_panels = len(targets) * n_places
    fig, axes = panel_grid(n_panels, panels_per_row=max(3, n_columns), panel_height_in=1.8, extra_height_in=0.5)
    for place in set(range(n_panels)) - set(places.values()):
        axes[place].remove()
    plotted = []
    for (target, model), (found, n_sessions) in pooled.items():
        ax = axes[places[target, model]]
        style, n_trials = model_style(model), found.bins["n_trials"].sum()
        plot_reliability(ax, found, color=style.color)
        panel_title(ax, style.title, f"{modalities[target].title}\nECE = {found.ece:.2f}, n = {n_trials}")
        ax.set_xlabel("probability")
        if is_leftmost(ax):
            ax.set_ylabel("share of trials right")
        known = {"target": target, "model": model, "n_sessions": n_sessions, "ece": found.ece}
        plotted.append(found.bins.assign(**known))
    note_above(
        fig,
        f"Dots: test trials of all test sessions in {N_BINS} bins of the probability of their most probable class, area in "
        "proportion to the trials of the bin; bars: 95 % interval (Wilson) over trials; dashed: calibrated; n: trials.",
    )
    table = pd.concat(plotted, ignore_index=True)
    return fig, table[["target", "model", "n_sessions", "ece", *pooled[next(iter(pooled))][0].bins.columns]]


def draw_calibration(
    *, aligned: InputFiles, predictions: InputFiles, models: list[str], settings: Drawing, output: FigureStem
) -> None:
    """Draw how often decoded classes are right, against the probability that the models give them.

    Args:
        aligned: aligned session files.
        predictions: of each model, those of a session after one another.
        models: name of each model.
        settings: modalities, whose labels and units are shown.
        output: files to write, without .pdf, .png and .csv.
    """
    if len(predictions) != len(models) * len(aligned):
        raise UserError("--predictions: give one file for each session and model")
    comparisons = []
    for index, path in enumerate(aligned):
        of_session = predictions[index * len(models) : (index + 1) * len(models)]
        # A session that cannot be used is left out.
        with suppress(NothingToDraw):
            given = by_model(models, of_session)
            shown = settings.modalities
            comparisons.append(read_comparison(aligned=path, predictions=given, task="decoding", modalities=shown))
    draw(lambda: calibration_figure(comparisons), output)
