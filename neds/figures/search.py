"""A search: score of every trial against each hyper-parameter that was searched."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator
from pandas.api.types import is_float_dtype

from neds.figures.panels import note_above
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import WIDTH_IN, figure_style
from neds.files.roles import FigureStem, InputFile
from neds.files.tables import read_csv
from neds.words import counted

_PANELS_PER_ROW = 4
_TRIAL_COLOR = "#0072B2"
_BEST_COLOR = "#D55E00"
_SPAN_OF_A_LOG_AXIS = 8


@figure_style()
def search_figure(trials: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """A panel per searched key, and what was plotted: the trials with a score.

    Args:
        trials: table of a search's trials; the searched keys are its columns with a dot.

    Raises:
        NothingToDraw: no trial has a score.
    """
    drawn = trials[(trials["status"] != "failed") & trials["score"].notna()]
    keys = [column for column in trials if "." in column]
    if drawn.empty:
        raise NothingToDraw("There was no search, because there was no session to train on.")
    n_columns = min(len(keys), _PANELS_PER_ROW)
    n_rows = -(-len(keys) // n_columns)
    width_in = min(WIDTH_IN, max(3.5, 1.8 * n_columns))
    fig = Figure(figsize=(width_in, 1.6 * n_rows + 0.75), layout="constrained")
    axes = fig.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for ax, key in zip(axes.flat, keys, strict=False):
        _plot_key(drawn, key, ax)
    for ax in axes.flat[len(keys) :]:
        ax.remove()
    for ax in axes[:, 0]:
        ax.set_ylabel("validation score")
    markers: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 4}
    entries = {
        "trained to the end": Line2D([], [], color=_TRIAL_COLOR, **markers),
        "stopped early": Line2D([], [], color=_TRIAL_COLOR, markerfacecolor="white", **markers),
        "best": Line2D([], [], color=_BEST_COLOR, **markers),
    }
    fig.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=len(entries))
    n_failed = len(trials) - len(drawn)
    failed = f" {n_failed} failed and are not drawn." if n_failed else ""
    note_above(fig, f"Dots: {counted(len(drawn), 'trial')} of the search, at their best validation.{failed}")
    return fig, drawn.reset_index(drop=True)


def _plot_key(trials: pd.DataFrame, key: str, ax: Axes) -> None:
    values = trials[key]
    if is_float_dtype(values) and values.notna().all():
        positions = values.to_numpy()
        if positions.min() > 0 and positions.max() / positions.min() > _SPAN_OF_A_LOG_AXIS:
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_locator(NullLocator())
    else:
        levels = sorted(values.unique(), key=lambda value: (isinstance(value, str), value))
        places = values.map({level: place for place, level in enumerate(levels)}).to_numpy()
        # Trials of one level lie side by side in their order.
        positions = places + 0.3 * (np.arange(len(places)) / max(1, len(places) - 1) - 0.5)
        ax.set_xticks(range(len(levels)), [str(level) for level in levels])
        ax.set_xlim(-0.5, len(levels) - 0.5)
    stopped = (trials["status"] == "stopped").to_numpy()
    faces = np.where(stopped, "white", _TRIAL_COLOR)
    ax.scatter(positions, trials["score"], s=14, facecolor=faces, edgecolor=_TRIAL_COLOR, linewidth=0.7)
    best = trials["score"].to_numpy().argmax()
    ax.scatter(positions[best], trials["score"].iloc[best], s=18, color=_BEST_COLOR, zorder=3)
    ax.set_xlabel(key)


def draw_search(*, trials: InputFile, output: FigureStem) -> None:
    """Draw a search: the score of every trial against each hyper-parameter.

    Args:
        trials: table of a search's trials, CSV.
        output: files to write, without .pdf, .png and .csv.
    """
    table = read_csv(trials)
    draw(lambda: search_figure(table), output)
